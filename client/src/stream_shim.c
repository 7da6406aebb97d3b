/*
 * The workaround for nng 1.5.2 that stream_shim.h describes. The race, in any transport over streams; tcp's names:
 *
 *   tcptran_pipe_recv_cb()                 another thread, which closes the connection, say because a reply failed
 *   has read the head: takes the lock
 *                                          nni_aio_close(the protocol's receive): its canceller aborts the read below
 *                                          it; no read is in flight, and the canceller is used up
 *                                          nni_aio_close(the read): no other read may begin
 *   nng_stream_recv(the read), the body
 *     nni_aio_begin() refuses: no callback
 *                                          the reaper: nni_aio_stop(the protocol's receive) waits for its end
 *
 * Nothing can end that receive any more. The same happens to a send whose message is sent in part. From 1.8 on
 * nni_aio_stop() abandons such operations.
 *
 * libnng calls nng_stream_recv() and nng_stream_send() by their public names, so the dynamic linker keeps their
 * addresses in libnng's table. herald_stream_shim_install() puts cured_recv() and cured_send() there, and nowhere else.
 * Other callers of these names still reach nng's functions. Herald neither defines nor exports the names, so the order
 * in which libraries are loaded does not matter. The same goes for sysconf(), by which libnng counts processors.
 *
 * An operation was refused, and has no callback, if and only if its result is NNG_ECANCELED after it was begun:
 *
 *   - nni_aio_begin() sets the result to NNG_ECANCELED if it refuses, else to 0
 *   - the reads and writes of tcp, ipc and tls+tcp are closed (NNG_ECLOSED) before they are stopped (NNG_ECANCELED), so
 *     a stop finds none in flight; nothing else cancels them
 *   - the caller holds the lock that every callback of the operation needs, so the operation still exists. Another
 *     thread may end it and write its result meanwhile, but that result is never NNG_ECANCELED
 *
 * The shim ends a refused operation as if its connection were lost. It does not use NNG_ECLOSED: a listener that is
 * negotiating with a peer would take that for its own close.
 *
 * Another version of libnng, found at run time under the same name, is left alone. So is a statically linked one, which
 * calls itself directly. There close_socket.c and the server's watchdog remain. (nng's own HTTP stops operations in
 * flight, so the second point does not quite hold for it. Herald does not use it.)
 */
#include "client/src/stream_shim.h"

#include <link.h>
#include <nng/nng.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* libnng starts two threads for callbacks for each processor that it finds, and one for time-outs. */
static long cured_sysconf(int name) {
    long value = sysconf(name);
    return name == _SC_NPROCESSORS_ONLN && value > 1 ? value / 2 : value;
}

/* The replacement of a function that libnng calls; 0: it has none. @function  0: it is another library's */
static uintptr_t cure_of(uintptr_t function, const char *name) {
    if (function == 0) {
        return strcmp(name, "sysconf") == 0 ? (uintptr_t)cured_sysconf : 0;
    }
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

/* Sets the protection of a slot's page. If libnng was linked to be bound at once, its table is read-only. */
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

/* The value of a tag of the dynamic section; 0: not there. Some linkers leave addresses relative to the object. */
static uintptr_t dynamic_value(const struct dl_phdr_info *object, const ElfW(Dyn) * dynamic, ElfW(Sxword) tag) {
    bool address = tag == DT_SYMTAB || tag == DT_STRTAB || tag == DT_JMPREL || tag == DT_RELA;
    while (dynamic->d_tag != DT_NULL && dynamic->d_tag != tag) {
        dynamic++;
    }
    uintptr_t value = dynamic->d_tag == tag ? dynamic->d_un.d_ptr : 0;
    return address && value && value < object->dlpi_addr ? value + object->dlpi_addr : value;
}

/* Walks relocations: each one for the address of a replaced function names a slot. */
static void cure_table(const struct dl_phdr_info *object, const ElfW(Dyn) * dynamic, ElfW(Sxword) table,
                       ElfW(Sxword) bytes) {
    const ElfW(Sym) *symbols = (const ElfW(Sym) *)dynamic_value(object, dynamic, DT_SYMTAB);
    const ElfW(Rela) *at = (const ElfW(Rela) *)dynamic_value(object, dynamic, table);
    const char *names = (const char *)dynamic_value(object, dynamic, DT_STRTAB);
    size_t count = at && symbols && names ? dynamic_value(object, dynamic, bytes) / sizeof(*at) : 0;
    for (size_t i = 0; i < count; i++) {
        const ElfW(Sym) *symbol = &symbols[RELOCATION_SYMBOL(at[i].r_info)];
        uintptr_t function = symbol->st_value ? object->dlpi_addr + symbol->st_value : 0;
        uintptr_t cure = cure_of(function, names + symbol->st_name);
        if (cure) {
            put_cure(object, object->dlpi_addr + at[i].r_offset, cure);
        }
    }
}

/* Called for each loaded object. libnng is the object that defines nng_stream_recv(). */
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
