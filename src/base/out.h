/* The atomic output stream: qz_out_open(path) writes PATH.partial; qz_out_close checks and fsyncs it, qz_commit (io.h)
 * gives it its name (qz_out_commit: both); qz_out_abort keeps or removes the partial file. Every failing call
 * names the file. */
#ifndef QZ_BASE_OUT_H
#define QZ_BASE_OUT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/hash.h"
#include "base/status.h"

typedef struct {
    int fd;              /* -1 when closed */
    char *path, *partial;
    uint64_t size;       /* bytes written so far */
    uint8_t *buf, *ring; /* ring: of qz_out_aside, buf is one part of it */
    size_t used, slot;   /* slot: place of buf in the ring */
    qz_sha256 sha;       /* of everything written, in order */
    struct qz_side_hash *side; /* NULL: not yet, or not at all */
    bool aside;
    bool whole;          /* closed or committed: abort leaves what stands there */
} qz_out;
/* Opens PATH.partial for writing from offset 0 (truncated). */
qz_status qz_out_open(qz_out *o, const char *path, qz_error *err);
/* Opens an existing PATH.partial and continues at `offset` (its first `offset` bytes are re-hashed). */
qz_status qz_out_resume(qz_out *o, const char *path, uint64_t offset, qz_error *err);
/* Hashes on a thread of its own from the first full buffer on; the disk sees the same calls. */
void qz_out_aside(qz_out *o);
qz_status qz_out_write(qz_out *o, const void *bytes, size_t n, qz_error *err);
qz_status qz_out_zeros(qz_out *o, size_t n, qz_error *err);
qz_status qz_out_flush(qz_out *o, qz_error *err);      /* to the disk: write + fdatasync */
/* to the disk, under PATH.partial; sha_hex may be NULL */
qz_status qz_out_close(qz_out *o, char sha_hex[65], qz_error *err);
qz_status qz_out_commit(qz_out *o, char sha_hex[65], qz_error *err); /* and under its name */
void qz_out_abort(qz_out *o, bool keep_partial);       /* accepts a zeroed or committed object */
#endif
