#include "client/src/stream_shim.h"

#include <link.h>
#include <nng/nng.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * What goes wrong in nng 1.5.2, of any transport over streams; tcp's names:
 *
 *   tcptran_pipe_recv_cb()                 another thread, which closes the connection, say because a reply failed
 *   the head has come: takes the lock
 *                                          nni_aio_close(the protocol's receive): its canceller aborts the read below
 *                                          it, of which none is under way, and has been used up
 *                                          nni_aio_close(the read): no other one may begin
 *   nng_stream_recv(the read), the body
 *     nni_aio_begin() refuses: no callback
 *                                          the reaper: nni_aio_stop(the protocol's receive) waits for its end
 *
 * Nothing is left that would end it. The same with the rest of a message that was sent in part. From 1.8 on
 * nni_aio_stop() gives such a receive up.
 *
 * libnng calls nng_stream_recv() and nng_stream_send() by their public names, so it keeps their addresses where the
 * dynamic linker put them. herald_stream_shim_install() puts cured_recv() and cured_send() there: into libnng's own
 * table alone. What others call by these names stays nng's, and Herald defines and exports neither of them, in whatever
 * order, by whatever means its libraries are loaded. An operation is refused, and has then no callback, if and only if
 * its result is NNG_ECANCELED when it has been begun:
 *
 *   - nni_aio_begin() sets the result to that when it refuses, and to 0 when it does not
 *   - the reads and writes of tcp, ipc and tls+tcp are closed (NNG_ECLOSED) before they are stopped (NNG_ECANCELED), so
 *     that stopping finds none under way; nothing else cancels them
 *   - the caller holds the lock without which no callback of the operation can run: it is still there to be looked at.
 *     Its result may be written meanwhile, by one that ends it, but is never that one
 *
 * So it is ended here as one whose connection was lost; not by NNG_ECLOSED, which to a listener that greets means that
 * it was closed itself. Another version of the library, found at run time under the same name, is left alone; so is one
 * that is linked statically, and calls itself directly: there close_socket.c and the server's watchdog are left. (nng's
 * own HTTP stops what is under way, so that the second point holds for it but for the moment between a beginning and
 * the look at its result. Herald does not use it.)
 */
#define SHIM_NEEDED (NNG_MAJOR_VERSION < 1 || (NNG_MAJOR_VERSION == 1 && NNG_MINOR_VERSION < 8))
#define FITS        "1.5.2"

#if SHIM_NEEDED

#if __SIZEOF_POINTER__ == 8
#define RELOCATION_SYMBOL(info) ELF64_R_SYM(info)
#else
#define RELOCATION_SYMBOL(info) ELF32_R_SYM(info)
#endif

static atomic_bool shim_enabled = true;
static atomic_bool shim_called;
static atomic_ulong ended_count;

static void end_if_refused(nng_aio *aio) {
    atomic_store_explicit(&shim_called, true, memory_order_relaxed);
    if (nng_aio_result(aio) != NNG_ECANCELED || !atomic_load_explicit(&shim_enabled, memory_order_relaxed)) {
        return;
    }
    atomic_fetch_add_explicit(&ended_count, 1, memory_order_relaxed);
    nng_aio_finish(aio, NNG_ECONNRESET);
}

static void cured_recv(nng_stream *stream, nng_aio *aio) {
    nng_stream_recv(stream, aio);
    end_if_refused(aio);
}

static void cured_send(nng_stream *stream, nng_aio *aio) {
    nng_stream_send(stream, aio);
    end_if_refused(aio);
}

/* What is to stand for a function of libnng; 0: the function itself. */
static uintptr_t cure_of(uintptr_t function) {
    if (function == (uintptr_t)nng_stream_recv) {
        return (uintptr_t)cured_recv;
    }
    return function == (uintptr_t)nng_stream_send ? (uintptr_t)cured_send : 0;
}

/* A loaded object's header of a type; with @inside other than 0, only one whose memory holds that address. */
static const ElfW(Phdr) * find_header(const struct dl_phdr_info *object, uint32_t type, uintptr_t inside) {
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        uintptr_t begin = object->dlpi_addr + header->p_vaddr;
        if (header->p_type == type && (!inside || inside - begin < header->p_memsz)) {
            return header;
        }
    }
    return NULL;
}

/* Where libnng was linked to be bound at once, the dynamic linker has made the whole pages of its table read-only. */
static bool protect(const struct dl_phdr_info *object, uintptr_t slot, int protection) {
    const ElfW(Phdr) *header = find_header(object, PT_GNU_RELRO, slot);
    uintptr_t in_page = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
    if (!header || slot >= ((object->dlpi_addr + header->p_vaddr + header->p_memsz) & ~in_page)) {
        return true;
    }
    return mprotect((void *)(slot & ~in_page), in_page + 1, protection) == 0;
}

static void put_cure(const struct dl_phdr_info *object, uintptr_t slot, uintptr_t cure) {
    if (__atomic_load_n((uintptr_t *)slot, __ATOMIC_RELAXED) != cure && protect(object, slot, PROT_READ | PROT_WRITE)) {
        __atomic_store_n((uintptr_t *)slot, cure, __ATOMIC_RELEASE);
        (void)protect(object, slot, PROT_READ);
    }
}

/* The value of a tag of the dynamic section; 0: it has none. Some linkers leave addresses relative to the object. */
static uintptr_t dynamic_value(const struct dl_phdr_info *object, const ElfW(Dyn) * dynamic, ElfW(Sxword) tag) {
    bool address = tag == DT_SYMTAB || tag == DT_JMPREL || tag == DT_RELA;
    while (dynamic->d_tag != DT_NULL && dynamic->d_tag != tag) {
        dynamic++;
    }
    uintptr_t value = dynamic->d_tag == tag ? dynamic->d_un.d_ptr : 0;
    return address && value && value < object->dlpi_addr ? value + object->dlpi_addr : value;
}

/* Walks relocations: each that stands for the address of a cured function names a slot. */
static void cure_table(const struct dl_phdr_info *object, const ElfW(Dyn) * dynamic, ElfW(Sxword) table,
                       ElfW(Sxword) bytes) {
    const ElfW(Sym) *symbols = (const ElfW(Sym) *)dynamic_value(object, dynamic, DT_SYMTAB);
    const ElfW(Rela) *at = (const ElfW(Rela) *)dynamic_value(object, dynamic, table);
    size_t count = at ? dynamic_value(object, dynamic, bytes) / sizeof(*at) : 0;
    for (size_t i = 0; i < count; i++) {
        const ElfW(Sym) *symbol = &symbols[RELOCATION_SYMBOL(at[i].r_info)];
        uintptr_t cure = symbol->st_value ? cure_of(object->dlpi_addr + symbol->st_value) : 0;
        if (cure) {
            put_cure(object, object->dlpi_addr + at[i].r_offset, cure);
        }
    }
}

/* Takes each loaded object; libnng is the one that defines what is called nng_stream_recv here. */
static int cure_libnng(struct dl_phdr_info *object, size_t size, void *user) {
    const ElfW(Phdr) *header = find_header(object, PT_DYNAMIC, 0);
    (void)size;
    (void)user;
    if (!header || !find_header(object, PT_LOAD, (uintptr_t)nng_stream_recv)) {
        return 0;
    }
    const ElfW(Dyn) *dynamic = (const ElfW(Dyn) *)(object->dlpi_addr + header->p_vaddr);
    if (dynamic_value(object, dynamic, DT_PLTREL) == DT_RELA) {
        cure_table(object, dynamic, DT_JMPREL, DT_PLTRELSZ);
    }
    cure_table(object, dynamic, DT_RELA, DT_RELASZ);
    return 1;
}

void herald_stream_shim_install(void) {
    if (strcmp(nng_version(), FITS) == 0) {
        (void)dl_iterate_phdr(cure_libnng, NULL);
    }
}

bool herald_stream_shim_active(void) {
    return atomic_load(&shim_called);
}

void herald_stream_shim_enable(bool enabled) {
    atomic_store(&shim_enabled, enabled);
}

bool herald_stream_shim_needed(void) {
    return true;
}

unsigned long herald_stream_shim_ended_count(void) {
    return atomic_load(&ended_count);
}

#else

void herald_stream_shim_install(void) {
}

bool herald_stream_shim_active(void) {
    return true;
}

void herald_stream_shim_enable(bool enabled) {
    (void)enabled;
}

bool herald_stream_shim_needed(void) {
    return false;
}

unsigned long herald_stream_shim_ended_count(void) {
    return 0;
}

#endif
