#include "base/hash.h"
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

uint64_t qz_fnv64(const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}
