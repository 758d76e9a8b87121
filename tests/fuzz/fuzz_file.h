/* Input of a fuzz target as a file of a name: readers that map files see just these bytes. */
#ifndef QZ_FUZZ_FILE_H
#define QZ_FUZZ_FILE_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Opens a file in memory; its name goes to path. The caller closes the descriptor. */
static inline int fuzz_file(const uint8_t *data, size_t size, char path[64]) {
    int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    (void)snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}
#endif
