/* SHA-256 (OpenSSL's libcrypto); XXH64, which finds accidents at the speed of memory; a 64-bit FNV-1a for maps. */
#ifndef QZ_BASE_HASH_H
#define QZ_BASE_HASH_H
#include <stddef.h>
#include <stdint.h>
#include "base/status.h"

typedef struct { void *ctx; } qz_sha256; /* zeroed object is valid: first update starts it */
void qz_sha256_update(qz_sha256 *h, const void *bytes, size_t n);
void qz_sha256_final(qz_sha256 *h, uint8_t out[32]); /* leaves a zeroed object */
void qz_sha256_final_hex(qz_sha256 *h, char out[65]);
void qz_sha256_release(qz_sha256 *h);
void qz_sha256_bytes_hex(const void *bytes, size_t n, char out[65]);
qz_status qz_sha256_file_hex(const char *path, char out[65], qz_error *err);
typedef struct { uint64_t lane[4], total; uint8_t rest[32]; } qz_sum64; /* zeroed object is valid */
void qz_sum64_update(qz_sum64 *s, const void *bytes, size_t n);
uint64_t qz_sum64_final(qz_sum64 *s); /* leaves a zeroed object */
uint64_t qz_fnv64(const void *bytes, size_t n);
#endif
