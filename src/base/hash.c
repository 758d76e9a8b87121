#include "base/hash.h"
#include "base/bytes.h"
#include "base/io.h"
#include "base/size.h"
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char hex_digits[] = "0123456789abcdef";
static void to_hex(const uint8_t d[32], char out[65]) {
    for (int i = 0; i < 32; i++) {
        out[2 * i] = hex_digits[d[i] >> 4];
        out[2 * i + 1] = hex_digits[d[i] & 15];
    }
    out[64] = 0;
}

static EVP_MD_CTX *start(qz_sha256 *h) {
    if (h->ctx == NULL) {
        h->ctx = EVP_MD_CTX_new();
        if (h->ctx != NULL) EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL);
    }
    return h->ctx;
}
void qz_sha256_update(qz_sha256 *h, const void *bytes, size_t n) {
    EVP_MD_CTX *c = start(h);
    if (c != NULL && n) EVP_DigestUpdate(c, bytes, n);
}
void qz_sha256_final(qz_sha256 *h, uint8_t out[32]) {
    EVP_MD_CTX *c = start(h);
    memset(out, 0, 32);
    if (c != NULL) EVP_DigestFinal_ex(c, out, NULL);
    qz_sha256_release(h);
}
void qz_sha256_final_hex(qz_sha256 *h, char out[65]) {
    uint8_t d[32];
    qz_sha256_final(h, d);
    to_hex(d, out);
}
void qz_sha256_release(qz_sha256 *h) {
    EVP_MD_CTX_free(h->ctx);
    h->ctx = NULL;
}
void qz_sha256_bytes_hex(const void *bytes, size_t n, char out[65]) {
    qz_sha256 h = {0};
    qz_sha256_update(&h, bytes, n);
    qz_sha256_final_hex(&h, out);
}

qz_status qz_sha256_file_hex(const char *path, char out[65], qz_error *err) {
    int fd;
    QZ_TRY(qz_open_regular(path, &fd, &(uint64_t){0}, err));
    FILE *f = fdopen(fd, "rb");
    if (f == NULL) {
        (void)close(fd);
        return qz_fail(err, QZ_EMEMORY, "out of memory reading '%s'", path);
    }
    enum { CHUNK = 1 << 20 };
    uint8_t *buf = qz_alloc_array(CHUNK, 1);
    qz_sha256 h = {0};
    qz_status st = buf == NULL ? qz_fail(err, QZ_EMEMORY, "out of memory reading '%s'", path) : QZ_OK;
    while (st == QZ_OK) {
        size_t n = fread(buf, 1, CHUNK, f);
        qz_sha256_update(&h, buf, n);
        if (n < CHUNK) {
            if (ferror(f)) st = qz_fail(err, QZ_EIO, "cannot read '%s': %s", path, strerror(errno));
            break;
        }
    }
    if (st == QZ_OK) qz_sha256_final_hex(&h, out);
    qz_sha256_release(&h);
    qz_free(buf);
    (void)fclose(f);
    return st;
}

/* ---- XXH64 with seed 0 (xxHash specification, 0.1.1) ---- */
static const uint64_t P1 = 0x9e3779b185ebca87u, P2 = 0xc2b2ae3d27d4eb4fu, P3 = 0x165667b19e3779f9u,
                      P4 = 0x85ebca77c2b2ae63u, P5 = 0x27d4eb2f165667c5u;
enum { STRIPE = 32 };

static uint64_t turn(uint64_t v, unsigned by) { return v << by | v >> (64 - by); }
static uint64_t take(uint64_t lane, uint64_t word) { return turn(lane + word * P2, 31) * P1; }

static void stripes(uint64_t lane[4], const uint8_t *p, size_t n) {
    uint64_t a = lane[0], b = lane[1], c = lane[2], d = lane[3];
    for (size_t i = 0; i < n; i++, p += STRIPE) {
        a = take(a, qz_load_u64le(p));
        b = take(b, qz_load_u64le(p + 8));
        c = take(c, qz_load_u64le(p + 16));
        d = take(d, qz_load_u64le(p + 24));
    }
    lane[0] = a, lane[1] = b, lane[2] = c, lane[3] = d;
}

void qz_sum64_update(qz_sum64 *s, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    const size_t used = s->total % STRIPE;
    if (n == 0) return;
    if (s->total == 0) s->lane[0] = P1 + P2, s->lane[1] = P2, s->lane[3] = 0 - P1;
    s->total += n;
    if (used) {
        const size_t k = qz_min_size(n, STRIPE - used);
        memcpy(s->rest + used, p, k);
        if (used + k < STRIPE) return;
        stripes(s->lane, s->rest, 1);
        p += k;
        n -= k;
    }
    stripes(s->lane, p, n / STRIPE);
    memcpy(s->rest, p + n / STRIPE * STRIPE, n % STRIPE);
}

uint64_t qz_sum64_final(qz_sum64 *s) {
    const uint8_t *p = s->rest;
    size_t n = s->total % STRIPE;
    uint64_t h = P5;
    if (s->total >= STRIPE) {
        h = turn(s->lane[0], 1) + turn(s->lane[1], 7) + turn(s->lane[2], 12) + turn(s->lane[3], 18);
        for (int i = 0; i < 4; i++) h = (h ^ take(0, s->lane[i])) * P1 + P4;
    }
    h += s->total;
    for (; n >= 8; p += 8, n -= 8) h = turn(h ^ take(0, qz_load_u64le(p)), 27) * P1 + P4;
    for (; n >= 4; p += 4, n -= 4) h = turn(h ^ qz_load_u32le(p) * P1, 23) * P2 + P3;
    for (; n; p++, n--) h = turn(h ^ *p * P5, 11) * P1;
    h = (h ^ h >> 33) * P2;
    h = (h ^ h >> 29) * P3;
    *s = (qz_sum64){0};
    return h ^ h >> 32;
}

uint64_t qz_fnv64(const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}
