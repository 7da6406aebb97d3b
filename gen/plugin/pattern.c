/*
 * Compiles patterns: text -> tree -> NFA (Thompson's) -> DFA (subset construction). Each size that can explode has a
 * limit, and a pattern beyond it is refused. So every accepted pattern is matched by table, in linear time, without
 * memory.
 *
 * The alphabet is characters, not bytes: ASCII, and one symbol for any other character, since patterns name none of
 * them. '.' and [^…] match such a character as a whole.
 */
#include "gen/plugin/pattern.h"

#include <ctype.h>
#include <string.h>

#define SYMBOLS    HERALD_PATTERN_SYMBOLS
#define TEXT_MAX   512
#define REPEAT_MAX 255
#define UNBOUNDED  (-1)
#define NFA_MAX    2048
#define NFA_WORDS  (NFA_MAX / 64)

enum node_kind { NODE_SET, NODE_CONCAT, NODE_ALTERNATION, NODE_REPEAT };

struct node {
    enum node_kind kind;
    bool set[SYMBOLS];             /* NODE_SET */
    struct node *left, *right;     /* right: not for NODE_REPEAT */
    int at_least, at_most;         /* NODE_REPEAT */
    const struct node *set_before; /* all sets, as a list */
};

struct parser {
    struct pool *pool;
    const char *text, *at;
    const char *problem;
    const struct node *sets;
};

static struct node *refuse_pattern(struct parser *parser, const char *problem) {
    if (parser->problem == NULL) {
        parser->problem =
            pool_printf(parser->pool, "%s, at character %d", problem, (int)(parser->at - parser->text) + 1);
    }
    return NULL;
}

static struct node *new_node(struct parser *parser, enum node_kind kind, struct node *left, struct node *right) {
    struct node *node = pool_alloc(parser->pool, sizeof(*node));
    node->kind = kind;
    node->left = left;
    node->right = right;
    if (kind == NODE_SET) {
        node->set_before = parser->sets;
        parser->sets = node;
    }
    return node;
}

/* --- brackets --- */

static int is_blank_character(int c) {
    return c == ' ' || c == '\t';
}

static const struct {
    const char *name;
    int (*contains)(int c);
} named_classes[] = {
    {"alnum", isalnum}, {"alpha", isalpha}, {"blank", is_blank_character},
    {"cntrl", iscntrl}, {"digit", isdigit}, {"graph", isgraph},
    {"lower", islower}, {"print", isprint}, {"punct", ispunct},
    {"space", isspace}, {"upper", isupper}, {"xdigit", isxdigit},
};

/* Parses "[:name:]", at its first bracket. */
static bool parse_named_class(struct parser *parser, struct node *node) {
    const char *name = parser->at + 2;
    const char *end = strstr(name, ":]");
    for (size_t i = 0; end != NULL && i < sizeof(named_classes) / sizeof(named_classes[0]); i++) {
        size_t length = strlen(named_classes[i].name);
        if (length != (size_t)(end - name) || strncmp(name, named_classes[i].name, length) != 0) {
            continue;
        }
        for (int c = 1; c < 128; c++) {
            node->set[c] |= named_classes[i].contains(c) != 0;
        }
        parser->at = end + 2;
        return true;
    }
    refuse_pattern(parser, "there is no such [:class:]");
    return false;
}

/* Parses one character or range of a bracket. */
static bool parse_range(struct parser *parser, struct node *node) {
    unsigned char first = (unsigned char)*parser->at, last = first;
    if (parser->at[1] == '-' && parser->at[2] != ']' && parser->at[2] != '\0') {
        last = (unsigned char)parser->at[2];
        parser->at += 2;
    }
    if (last < first || last == '[') {
        refuse_pattern(parser, "the range is upside down, or ends in a bracket");
        return false;
    }
    parser->at++;
    for (unsigned c = first; c <= last; c++) {
        node->set[c] = true;
    }
    return true;
}

static struct node *parse_bracket(struct parser *parser) {
    struct node *node = new_node(parser, NODE_SET, NULL, NULL);
    parser->at++;
    bool negated = *parser->at == '^';
    parser->at += negated;
    const char *first = parser->at;
    while (*parser->at != ']' || parser->at == first) {
        if (*parser->at == '\0') {
            return refuse_pattern(parser, "a bracket is not closed");
        }
        if (parser->at[0] == '[' && (parser->at[1] == '.' || parser->at[1] == '=')) {
            return refuse_pattern(parser, "[.….] and [=…=] are not in the subset");
        }
        bool named = parser->at[0] == '[' && parser->at[1] == ':';
        if (!(named ? parse_named_class(parser, node) : parse_range(parser, node))) {
            return NULL;
        }
    }
    parser->at++;
    for (int symbol = 1; negated && symbol < SYMBOLS; symbol++) {
        node->set[symbol] = !node->set[symbol];
    }
    return node;
}

/* --- the rest of the syntax --- */

static struct node *parse_alternation(struct parser *parser);

static struct node *parse_literal(struct parser *parser) {
    struct node *node = new_node(parser, NODE_SET, NULL, NULL);
    node->set[(unsigned char)*parser->at++] = true;
    return node;
}

static struct node *parse_group(struct parser *parser) {
    parser->at++;
    struct node *inside = parse_alternation(parser);
    if (inside == NULL) {
        return NULL;
    }
    if (*parser->at != ')') {
        return refuse_pattern(parser, "a group is not closed");
    }
    parser->at++;
    return inside;
}

static struct node *parse_any(struct parser *parser) {
    struct node *node = new_node(parser, NODE_SET, NULL, NULL);
    memset(node->set + 1, true, SYMBOLS - 1);
    parser->at++;
    return node;
}

static struct node *parse_atom(struct parser *parser) {
    switch (*parser->at) {
    case '(':
        return parse_group(parser);
    case '[':
        return parse_bracket(parser);
    case '.':
        return parse_any(parser);
    case '\\':
        parser->at++;
        if (*parser->at == '\0' || !ispunct((unsigned char)*parser->at)) {
            return refuse_pattern(parser,
                                  "a backslash goes before a punctuation character only; there are no back-references");
        }
        return parse_literal(parser);
    case '^':
    case '$':
        return refuse_pattern(parser, "^ and $ are not in the subset: the whole text is matched anyway");
    case '*':
    case '+':
    case '?':
    case '{':
        return refuse_pattern(parser, "there is nothing to repeat");
    case '\0':
    case '|':
    case ')':
        return refuse_pattern(parser, "a part is empty");
    default:
        return parse_literal(parser);
    }
}

/* Parses a number up to REPEAT_MAX; -1 if there is none or it is larger. */
static int parse_repeat_count(struct parser *parser) {
    int count = -1;
    for (; isdigit((unsigned char)*parser->at); parser->at++) {
        count = (count < 0 ? 0 : count * 10) + (*parser->at - '0');
        if (count > REPEAT_MAX) {
            return -1;
        }
    }
    return count;
}

/* Parses "{m}", "{m,}" or "{m,n}". */
static bool parse_bounds(struct parser *parser, struct node *node) {
    parser->at++;
    node->at_least = node->at_most = parse_repeat_count(parser);
    if (*parser->at == ',') {
        parser->at++;
        node->at_most = *parser->at == '}' ? UNBOUNDED : parse_repeat_count(parser);
        if (*parser->at == '}' && parser->at[-1] != ',' && node->at_most < node->at_least) {
            node->at_least = -1;
        }
    }
    if (node->at_least < 0 || *parser->at != '}') {
        refuse_pattern(parser, "{m,n} needs 0 <= m <= n <= 255");
        return false;
    }
    parser->at++;
    return true;
}

static struct node *parse_repeat(struct parser *parser) {
    struct node *atom = parse_atom(parser);
    if (atom == NULL || *parser->at == '\0' || strchr("*+?{", *parser->at) == NULL) {
        return atom;
    }
    struct node *node = new_node(parser, NODE_REPEAT, atom, NULL);
    if (*parser->at == '{') {
        if (!parse_bounds(parser, node)) {
            return NULL;
        }
    } else {
        node->at_least = *parser->at == '+';
        node->at_most = *parser->at == '?' ? 1 : UNBOUNDED;
        parser->at++;
    }
    if (*parser->at != '\0' && strchr("*+?{", *parser->at) != NULL) {
        return refuse_pattern(parser, "a repetition is repeated: put it in a group");
    }
    return node;
}

static struct node *parse_concatenation(struct parser *parser) {
    struct node *node = parse_repeat(parser);
    while (node != NULL && *parser->at != '\0' && *parser->at != '|' && *parser->at != ')') {
        struct node *next = parse_repeat(parser);
        node = next != NULL ? new_node(parser, NODE_CONCAT, node, next) : NULL;
    }
    return node;
}

static struct node *parse_alternation(struct parser *parser) {
    struct node *node = parse_concatenation(parser);
    while (node != NULL && *parser->at == '|') {
        parser->at++;
        struct node *next = parse_concatenation(parser);
        node = next != NULL ? new_node(parser, NODE_ALTERNATION, node, next) : NULL;
    }
    return node;
}

static struct node *parse_all(struct parser *parser) {
    if (strlen(parser->text) > TEXT_MAX) {
        return refuse_pattern(parser, "it is longer than 512 characters");
    }
    for (; *parser->at != '\0'; parser->at++) {
        if ((unsigned char)*parser->at >= 128) {
            return refuse_pattern(parser, "only ASCII characters can be named");
        }
    }
    parser->at = parser->text;
    struct node *node = parse_alternation(parser);
    if (node != NULL && *parser->at != '\0') {
        return refuse_pattern(parser, "a group is closed that was not opened");
    }
    return node;
}

/* --- the NFA --- */

/* A state that reads a symbol of @set; without a set, one that goes to both next states without reading. */
struct nfa_state {
    const bool *set;
    int next, other;
};

#define NFA_END 0

struct nfa {
    struct nfa_state states[NFA_MAX]; /* 0: the end */
    int count;
    bool overflow;
};

static int nfa_add(struct nfa *nfa, const bool *set, int next, int other) {
    if (nfa->count == NFA_MAX) {
        nfa->overflow = true;
        return NFA_END;
    }
    nfa->states[nfa->count] = (struct nfa_state){set, next, other};
    return nfa->count++;
}

static int nfa_build(struct nfa *nfa, const struct node *node, int next);

static int nfa_build_repeat(struct nfa *nfa, const struct node *node, int next) {
    int start = next;
    if (node->at_most == UNBOUNDED) {
        start = nfa_add(nfa, NULL, next, next);
        int inside = nfa_build(nfa, node->left, start);
        nfa->states[start].other = inside;
    }
    for (int i = node->at_least; i < node->at_most && !nfa->overflow; i++) {
        start = nfa_add(nfa, NULL, nfa_build(nfa, node->left, start), next);
    }
    for (int i = 0; i < node->at_least && !nfa->overflow; i++) {
        start = nfa_build(nfa, node->left, start);
    }
    return start;
}

/* Adds states that match @node and then go on to @next. Returns: the first of them */
static int nfa_build(struct nfa *nfa, const struct node *node, int next) {
    if (nfa->overflow) {
        return NFA_END;
    }
    switch (node->kind) {
    case NODE_SET:
        return nfa_add(nfa, node->set, next, next);
    case NODE_CONCAT:
        return nfa_build(nfa, node->left, nfa_build(nfa, node->right, next));
    case NODE_ALTERNATION: {
        int left = nfa_build(nfa, node->left, next);
        return nfa_add(nfa, NULL, left, nfa_build(nfa, node->right, next));
    }
    case NODE_REPEAT:
        break;
    }
    return nfa_build_repeat(nfa, node, next);
}

/* --- the DFA --- */

struct nfa_set {
    uint64_t words[NFA_WORDS];
};

struct dfa {
    const struct nfa *nfa;
    struct nfa_set sets[PATTERN_STATES_MAX]; /* 0: empty, the dead state; 1: the start */
    unsigned count;
    bool overflow;
};

static bool nfa_set_has(const struct nfa_set *set, int state) {
    return (set->words[state / 64] >> (state % 64) & 1) != 0;
}

/* Adds a state to a set, and all states that it reaches without reading. */
static void set_add(const struct nfa *nfa, struct nfa_set *set, int state) {
    int waiting[2 * NFA_MAX];
    int count = 0;
    waiting[count++] = state;
    while (count > 0) {
        int at = waiting[--count];
        if (nfa_set_has(set, at)) {
            continue;
        }
        set->words[at / 64] |= UINT64_C(1) << (at % 64);
        if (at == NFA_END || nfa->states[at].set != NULL) {
            continue;
        }
        if (!nfa_set_has(set, nfa->states[at].next)) {
            waiting[count++] = nfa->states[at].next;
        }
        if (!nfa_set_has(set, nfa->states[at].other)) {
            waiting[count++] = nfa->states[at].other;
        }
    }
}

/* Number of the DFA's state for a set of NFA states; adds it if it is new. */
static unsigned dfa_state(struct dfa *dfa, const struct nfa_set *set) {
    for (unsigned i = 0; i < dfa->count; i++) {
        if (memcmp(&dfa->sets[i], set, sizeof(*set)) == 0) {
            return i;
        }
    }
    if (dfa->count == PATTERN_STATES_MAX) {
        dfa->overflow = true;
        return 0;
    }
    dfa->sets[dfa->count] = *set;
    return dfa->count++;
}

static unsigned dfa_step(struct dfa *dfa, unsigned state, int symbol) {
    struct nfa_set reached = {{0}};
    const struct nfa_set from = dfa->sets[state];
    for (int i = 1; i < dfa->nfa->count; i++) {
        const struct nfa_state *nfa_state = &dfa->nfa->states[i];
        if (nfa_set_has(&from, i) && nfa_state->set != NULL && nfa_state->set[symbol]) {
            set_add(dfa->nfa, &reached, nfa_state->next);
        }
    }
    return dfa_state(dfa, &reached);
}

/* Symbols that every set of the pattern holds or lacks together share a column of the table. */
static unsigned make_classes(const struct node *sets, uint8_t classes[SYMBOLS], int samples[SYMBOLS]) {
    unsigned count = 0;
    for (int symbol = 0; symbol < SYMBOLS; symbol++) {
        unsigned class = 0;
        for (; class < count; class ++) {
            const struct node *set = sets;
            while (set != NULL && set->set[symbol] == set->set[samples[class]]) {
                set = set->set_before;
            }
            if (set == NULL) {
                break;
            }
        }
        if (class == count) {
            samples[count++] = symbol;
        }
        classes[symbol] = (uint8_t)class;
    }
    return count;
}

static bool dfa_build(struct pool *pool, struct dfa *dfa, int start, const struct node *sets, struct pattern *pattern) {
    int samples[SYMBOLS];
    struct nfa_set first = {{0}};
    uint8_t *classes = pool_array(pool, SYMBOLS, 1);
    unsigned class_count = make_classes(sets, classes, samples);
    uint8_t *next = pool_array(pool, (size_t)PATTERN_STATES_MAX * class_count, 1);
    uint8_t *accepts = pool_array(pool, PATTERN_STATES_MAX, 1);
    dfa->count = 1;
    set_add(dfa->nfa, &first, start);
    dfa_state(dfa, &first);
    for (unsigned state = 0; state < dfa->count && !dfa->overflow; state++) {
        accepts[state] = nfa_set_has(&dfa->sets[state], NFA_END);
        for (unsigned class = 0; class < class_count && !dfa->overflow; class ++) {
            next[state * class_count + class] = (uint8_t)dfa_step(dfa, state, samples[class]);
        }
    }
    pattern->table =
        (struct herald_pattern){.classes = classes, .next = next, .accepts = accepts, .class_count = class_count};
    pattern->state_count = dfa->count;
    return !dfa->overflow;
}

bool pattern_compile(struct pool *pool, const char *text, struct pattern *ret_pattern, const char **ret_problem) {
    struct parser parser = {.pool = pool, .text = text, .at = text};
    const struct node *tree = parse_all(&parser);
    if (tree == NULL) {
        *ret_problem = parser.problem;
        return false;
    }
    struct nfa *nfa = pool_alloc(pool, sizeof(*nfa));
    struct dfa *dfa = pool_alloc(pool, sizeof(*dfa));
    nfa->count = 1;
    dfa->nfa = nfa;
    int start = nfa_build(nfa, tree, NFA_END);
    if (nfa->overflow || !dfa_build(pool, dfa, start, parser.sets, ret_pattern)) {
        *ret_problem = pool_printf(pool, "it is too big: its table would have more than %d states", PATTERN_STATES_MAX);
        return false;
    }
    return true;
}
