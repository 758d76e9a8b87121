/* Read-only mappings of files. qz_map m; qz_map_open(&m, path, err); m.ptr[0..m.size); qz_map_release(&m). */
#ifndef QZ_BASE_MAP_H
#define QZ_BASE_MAP_H
#include <stddef.h>
#include <stdint.h>
#include "base/status.h"

typedef struct {
    const uint8_t *ptr; /* NULL for an empty file */
    size_t size;
    char *path;         /* owned copy, for error texts */
} qz_map;
qz_status qz_map_open(qz_map *m, const char *path, qz_error *err);
void qz_map_release(qz_map *m);
/* Tells the kernel that [ptr, ptr+n) is no longer needed (keeps resident memory at one block). */
void qz_map_forget(const void *ptr, size_t n);
#endif
