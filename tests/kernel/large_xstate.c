/* Lets User-Mode Linux run on processors with more extended state than it has room for.
 *
 * Its kernel keeps 2,696 bytes of a process's state (up to AVX-512 and protection keys). Where a
 * processor has AMX the host's kernel takes 11,008 or none, and the guest's first process is killed.
 * This library, preloaded, hands the guest the part that it knows and keeps the rest, which no
 * process uses without asking for it (arch_prctl(2), ARCH_REQ_XCOMP_PERM), as it is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef long ptrace_call(enum __ptrace_request, ...);

static ptrace_call *of_libc;
static unsigned char whole[1 << 16]; /* the guest's stacks are small, and it has one thread */

__attribute__((constructor)) static void find(void)
{
    of_libc = (ptrace_call *)dlsym(RTLD_NEXT, "ptrace");
}

long ptrace(enum __ptrace_request request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    pid_t pid = va_arg(arguments, pid_t);
    void *address = va_arg(arguments, void *);
    void *data = va_arg(arguments, void *);
    va_end(arguments);

    int gets = request == PTRACE_GETREGSET, sets = request == PTRACE_SETREGSET;
    if ((!gets && !sets) || address != (void *)NT_X86_XSTATE)
        return of_libc(request, pid, address, data);

    struct iovec *known = data, all = {whole, sizeof whole};
    if (of_libc(PTRACE_GETREGSET, pid, address, &all) < 0)
        return -1;
    if (known->iov_len > all.iov_len)
        known->iov_len = all.iov_len;
    if (gets) {
        memcpy(known->iov_base, whole, known->iov_len);
        return 0;
    }
    memcpy(whole, known->iov_base, known->iov_len);
    return of_libc(PTRACE_SETREGSET, pid, address, &all);
}
