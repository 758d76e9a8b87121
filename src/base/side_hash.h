/* SHA-256 on a thread of its own, in the order given, while the caller goes on: of buffers that stay as they are until
 * they are taken.
 *   qz_side_hash *s = qz_side_hash_open(&sha); per buffer: qz_side_hash_add(s, bytes, n), and before it is filled anew
 *   qz_side_hash_wait(s, k): all but the last k buffers given are in the sum; qz_side_hash_close(s) waits for all.
 * One caller. The sum must not be touched in between. */
#ifndef QZ_BASE_SIDE_HASH_H
#define QZ_BASE_SIDE_HASH_H
#include <stddef.h>
#include "base/hash.h"

enum { QZ_SIDE_SLOTS = 4 }; /* buffers that can wait; one more is waited for by add */
typedef struct qz_side_hash qz_side_hash;
qz_side_hash *qz_side_hash_open(qz_sha256 *sha); /* NULL: no memory, or no thread; hash as usual */
void qz_side_hash_add(qz_side_hash *s, const void *bytes, size_t n);
void qz_side_hash_wait(qz_side_hash *s, size_t k);
void qz_side_hash_close(qz_side_hash *s); /* accepts NULL */
#endif
