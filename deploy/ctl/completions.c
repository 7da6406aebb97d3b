/*
 * Prints the completion scripts. Their words come from the same tables as the parser and --help, so they are always
 * current. The shell functions that print words are generated here, in shell that bash and zsh share. The parts that
 * differ between the two are fixed text.
 */
#include "deploy/ctl/ctl.h"
#include "deploy/ctl/methods.h"
#include "deploy/ctl/shell.h"
#include "herald/distribution/v1/distribution.pb-c.h"
#include "herald/schema.h"
#include "server/programs/failpoints.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- fixed text ---- */

static const char common_text[] =
    "# What stands before the cursor: the command, how many operands follow it, the option that waits for its value.\n"
    "# bash breaks words at : = @, so that parts of words come here too.\n"
    "_heraldctl_context() {\n"
    "    local word glue=''\n"
    "    heraldctl_command='' heraldctl_operands=0 heraldctl_option=''\n"
    "    for word in \"$@\"; do\n"
    "        case $word in\n"
    "        :) glue=1; continue ;;\n"
    "        = | @) continue ;;\n"
    "        esac\n"
    "        if [ -n \"$glue\" ]; then\n"
    "            glue=''\n"
    "        elif [ -n \"$heraldctl_option\" ]; then\n"
    "            heraldctl_option=''\n"
    "        else\n"
    "            case $word in\n"
    "            --*=*) ;;\n"
    "            -*) if _heraldctl_value \"$word\" >/dev/null; then heraldctl_option=$word; fi ;;\n"
    "            *)\n"
    "                if [ -z \"$heraldctl_command\" ]; then\n"
    "                    heraldctl_command=$word\n"
    "                else\n"
    "                    heraldctl_operands=$((heraldctl_operands + 1))\n"
    "                fi\n"
    "                ;;\n"
    "            esac\n"
    "        fi\n"
    "    done\n"
    "}\n\n";

static const char bash_text[] =
    "_heraldctl() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} kind word\n"
    "    local heraldctl_command heraldctl_operands heraldctl_option\n"
    "    COMPREPLY=()\n"
    "    _heraldctl_context \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"\n"
    "    [[ $cur == '=' ]] && cur=''\n"
    "    if [[ -n $heraldctl_option ]]; then\n"
    "        kind=$(_heraldctl_value \"$heraldctl_option\")\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        kind=options\n"
    "    elif [[ -z $heraldctl_command ]]; then\n"
    "        kind=commands\n"
    "    else\n"
    "        kind=$(_heraldctl_operand \"$heraldctl_command\" \"$heraldctl_operands\")\n"
    "    fi\n"
    "    if [[ $kind == @FILE ]] && [[ $cur == @ || ${COMP_WORDS[COMP_CWORD-1]} == @ ]]; then\n"
    "        kind=FILE\n"
    "        cur=${cur#@}\n"
    "    fi\n"
    "    if [[ $kind == FILE ]]; then\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
    "        return\n"
    "    fi\n"
    "    while IFS= read -r word; do\n"
    "        [[ -n $word && $word == \"$cur\"* ]] && COMPREPLY+=(\"$word\")\n"
    "    done < <(_heraldctl_list \"$kind\" \"$cur\" \"$heraldctl_command\")\n"
    "}\n"
    "complete -F _heraldctl heraldctl\n";

static const char zsh_text[] =
    "_heraldctl() {\n"
    "    local cur=${words[CURRENT]} kind\n"
    "    local heraldctl_command heraldctl_operands heraldctl_option\n"
    "    local -a summaries\n"
    "    _heraldctl_context \"${(@)words[2,CURRENT-1]}\"\n"
    "    if [[ -z $heraldctl_option && $cur == --*=* ]]; then\n"
    "        heraldctl_option=${cur%%=*}\n"
    "        cur=${cur#*=}\n"
    "        compset -P '*='\n"
    "    fi\n"
    "    if [[ -n $heraldctl_option ]]; then\n"
    "        kind=$(_heraldctl_value \"$heraldctl_option\")\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        kind=options\n"
    "    elif [[ -z $heraldctl_command ]]; then\n"
    "        summaries=(${(f)\"$(_heraldctl_summaries)\"})\n"
    "        _describe -t commands command summaries\n"
    "        return\n"
    "    else\n"
    "        kind=$(_heraldctl_operand \"$heraldctl_command\" \"$heraldctl_operands\")\n"
    "    fi\n"
    "    if [[ $kind == @FILE && $cur == @* ]]; then\n"
    "        kind=FILE\n"
    "        compset -P '@'\n"
    "    fi\n"
    "    if [[ $kind == FILE ]]; then\n"
    "        _files\n"
    "    else\n"
    "        compadd -- ${(f)\"$(_heraldctl_list \"$kind\" \"$cur\" \"$heraldctl_command\")\"}\n"
    "    fi\n"
    "}\n"
    "if [[ ${funcstack[1]} == _heraldctl ]]; then\n"
    "    _heraldctl \"$@\"\n"
    "elif (( $+functions[compdef] )); then\n"
    "    compdef _heraldctl heraldctl\n"
    "fi\n";

/* ---- words from the tables ---- */

static void print_word(const char *word) {
    char *quoted = shell_quote(word);
    printf(" %s", quoted);
    free(quoted);
}

static void print_option_words(const struct ctl_command *command) {
    printf("    '%s') printf '%%s\\n'", command != NULL ? command->name : "");
    for (size_t i = 0; i < ctl_option_count; i++) {
        const struct ctl_option *option = &ctl_options[i];
        if (!ctl_command_takes(command, option->letter)) {
            continue;
        }
        printf(" --%s", option->name);
        if (ctl_option_is_short(option->letter)) {
            printf(" -%c", option->letter);
        }
    }
    puts(command != NULL ? " ;;" : " --version ;;");
}

static void print_all_options(void) {
    puts("# The options of a command; of none.\n_heraldctl_options() {\n    case $1 in");
    print_option_words(NULL);
    for (size_t i = 0; i < ctl_command_count; i++) {
        print_option_words(&ctl_commands[i]);
    }
    puts("    esac\n}\n");
}

/* Prints the values of an option's argument: the parts of "table|json"; words in capitals stay a kind of value. */
static void print_kind(const char *argument, size_t bytes) {
    if (bytes > 6 && strncmp(argument, "JSON|@", 6) == 0) {
        printf("@FILE");
    } else {
        printf("%.*s", (int)bytes, argument);
    }
}

static void print_values(void) {
    puts("# What an option's value is; status 1 for options that take none.\n_heraldctl_value() {\n    case $1 in");
    for (size_t i = 0; i < ctl_option_count; i++) {
        const struct ctl_option *option = &ctl_options[i];
        if (option->argument == NULL) {
            continue;
        }
        printf("    --%s", option->name);
        if (ctl_option_is_short(option->letter)) {
            printf(" | -%c", option->letter);
        }
        printf(") echo '");
        print_kind(option->argument, strlen(option->argument));
        puts("' ;;");
    }
    puts("    *) return 1 ;;\n    esac\n}\n");
}

/*
 * Prints the word at @place of each alternative of "job JOB_ID | publish EVENT_ID USER_ID", with '|' between them.
 * Brackets are left out: what need not be there is offered too.
 */
static void print_operand(const struct ctl_command *command, size_t place) {
    const char *at = command->operands;
    bool first = true;
    printf("    %s:%zu) echo '", command->name, place);
    while (*at != '\0') {
        for (size_t i = 0; *at != '\0' && strncmp(at, "| ", 2) != 0; i++) {
            size_t length = strcspn(at, " ");
            if (i == place) {
                size_t before = strspn(at, "[");
                printf("%s", first ? "" : "|");
                print_kind(at + before, strcspn(at + before, " ]"));
                first = false;
            }
            at += length;
            at += strspn(at, " ");
        }
        at += *at == '|' ? 2 : 0;
    }
    puts("' ;;");
}

static void print_operands(void) {
    puts("# What a command's operand is, counted from 0.\n_heraldctl_operand() {\n    case $1:$2 in");
    for (size_t i = 0; i < ctl_command_count; i++) {
        for (size_t place = 0; place < ctl_commands[i].operand_max; place++) {
            print_operand(&ctl_commands[i], place);
        }
    }
    puts("    esac\n}\n");
}

static const char *after_last_dot(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot != NULL ? dot + 1 : name;
}

/* The forms of a method's name: full, Service/Method, or its own name where that is unique. */
enum name_form { FULL, WITH_SERVICE, SHORT };

static void print_methods(enum name_form form) {
    const struct herald_method_schema *found;
    for (size_t i = 0; i < herald_schema_count; i++) {
        for (size_t j = 0; j < herald_schemas[i]->service_count; j++) {
            for (size_t k = 0; k < herald_schemas[i]->services[j]->method_count; k++) {
                const struct herald_method_schema *method = &herald_schemas[i]->services[j]->methods[k];
                if (form == SHORT && methods_find(method->name, &found, NULL) != HERALD_OK) {
                    continue;
                }
                print_word(form == FULL    ? method->full_name
                           : form == SHORT ? method->name
                                           : after_last_dot(method->full_name));
            }
        }
    }
}

static void print_messages(enum name_form form) {
    for (size_t i = 0; i < herald_schema_count; i++) {
        if (strncmp(herald_schemas[i]->package, "google.", 7) == 0) {
            continue;
        }
        for (size_t j = 0; j < herald_schemas[i]->message_count; j++) {
            const char *name = herald_schemas[i]->messages[j]->full_name;
            print_word(form == FULL ? name : after_last_dot(name));
        }
    }
}

static void print_failpoints(void) {
    failpoint_use(all_failpoints);
    for (unsigned i = 0; i < failpoint_count(); i++) {
        const char *name, *about;
        char action[FAILPOINT_ACTION_BYTES];
        failpoint_describe(i, &name, &about, action);
        print_word(name);
    }
}

static void print_channels(void) {
    const ProtobufCEnumDescriptor *schema = &herald__distribution__v1__channel__descriptor;
    for (unsigned i = 0; i < schema->n_values; i++) {
        if (schema->values[i].value != HERALD__DISTRIBUTION__V1__CHANNEL__CHANNEL_UNSPECIFIED) {
            print_word(schema->values[i].name);
        }
    }
}

/* Prints the function for one kind of name. It chooses the form by the word typed so far. */
static void print_named(const char *kinds, bool methods, bool messages) {
    printf("    %s)\n        case $2 in\n        *.*) printf '%%s\\n'", kinds);
    if (methods) {
        print_methods(FULL);
    }
    if (messages) {
        print_messages(FULL);
    }
    if (methods) {
        printf(" ;;\n        */*) printf '%%s\\n'");
        print_methods(WITH_SERVICE);
    }
    printf(" ;;\n        *) printf '%%s\\n'");
    if (methods) {
        print_methods(SHORT);
    }
    if (messages) {
        print_messages(SHORT);
    }
    puts(" ;;\n        esac\n        ;;");
}

static void print_list(void) {
    puts("# The words of a kind that may stand where $2 is typed already.\n_heraldctl_list() {\n    case $1 in");
    puts("    options) _heraldctl_options \"$3\" ;;");
    printf("    commands) printf '%%s\\n'");
    for (size_t i = 0; i < ctl_command_count; i++) {
        print_word(ctl_commands[i].name);
    }
    puts(" ;;");
    print_named("METHOD", true, false);
    print_named("NAME", true, true);
    print_named("TYPE", false, true);
    printf("    FAILPOINT) printf '%%s\\n'");
    print_failpoints();
    printf(" ;;\n    CHANNEL*) printf '%%s\\n'");
    print_channels();
    puts(" ;;\n    ACTION) printf '%s\\n' off drop kill 'error(' 'delay(' ;;");
    puts("    *) printf '%s\\n' \"$1\" | tr '|' '\\n' | sed '/[A-Z@]/d' ;;\n    esac\n}\n");
}

/* Prints "call:Calls a method …". A colon in the summary needs a backslash. */
static void print_summaries(void) {
    printf("_heraldctl_summaries() {\n    printf '%%s\\n'");
    for (size_t i = 0; i < ctl_command_count; i++) {
        char line[256];
        snprintf(line, sizeof(line), "%s:%s", ctl_commands[i].name, ctl_commands[i].summary);
        printf(" \\\n       ");
        print_word(line);
    }
    puts("\n}\n");
}

int ctl_completions(struct ctl *ctl) {
    const char *shell = ctl->arguments->operands[0];
    bool zsh = strcmp(shell, "zsh") == 0;
    if (!zsh && strcmp(shell, "bash") != 0) {
        fprintf(stderr, "heraldctl: completions are there for bash and zsh, not for \"%s\"\n", shell);
        return CTL_USAGE;
    }
    puts(zsh ? "#compdef heraldctl" : "# bash completion of heraldctl");
    printf("# Made by: heraldctl completions %s (heraldctl %s)\n\n", shell, HERALD_VERSION);
    print_all_options();
    print_values();
    print_operands();
    print_list();
    if (zsh) {
        print_summaries();
    }
    fputs(common_text, stdout);
    fputs(zsh ? zsh_text : bash_text, stdout);
    return CTL_OK;
}
