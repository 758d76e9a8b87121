#include "formats/formats.h"
#include "formats/strange.h"
#include "base/bytes.h"
#include "base/io.h"
#include "base/size.h"
#include <stdbool.h>
#include <string.h>

static bool probe_gguf(const uint8_t *p, size_t n, uint64_t size) {
    (void)size;
    return n >= 4 && memcmp(p, "GGUF", 4) == 0;
}
/* A header length that fits the file, then the start of a JSON object. */
static bool probe_safetensors(const uint8_t *p, size_t n, uint64_t size) {
    if (n < 9 || size < 9) return false;
    uint64_t len = qz_load_u64le(p);
    return len >= 1 && len <= size - 8 && (p[8] == '{' || p[8] == ' ' || p[8] == '\t' || p[8] == '\n' || p[8] == '\r');
}

static const struct { const char *name; bool (*probe)(const uint8_t *, size_t, uint64_t); } formats[QZ_FORMAT_COUNT] = {
#define QZ_FORMAT(id, name, probe) [QZ_FORMAT_##id] = { name, probe },
#include "formats/formats.def"
#undef QZ_FORMAT
};

const char *qz_format_name(qz_format f) { return formats[f].name; }

qz_format qz_format_detect(const uint8_t *head, size_t n, uint64_t file_size) {
    for (int i = 0; i < QZ_FORMAT_COUNT; i++)
        if (formats[i].probe(head, n, file_size)) return (qz_format)i;
    return QZ_FORMAT_COUNT;
}

qz_status qz_format_probe(const char *path, qz_format *out, qz_error *err) {
    qz_map m = {0};
    QZ_TRY(qz_map_open(&m, path, err));
    *out = qz_format_detect(m.ptr, qz_min_size(m.size, 16), m.size);
    qz_status st = QZ_OK;
    if (*out == QZ_FORMAT_COUNT) st = qz_strange(m.ptr, m.size, path, "a GGUF or safetensors file", err);
    if (*out == QZ_FORMAT_COUNT && st == QZ_OK)
        st = m.size ? qz_fail(err, QZ_EFORMAT,
                              "unknown container: file '%s': expected a GGUF or safetensors file, found %zu bytes that "
                              "begin with %02x %02x %02x %02x",
                              path, m.size, m.ptr[0], m.size > 1 ? m.ptr[1] : 0, m.size > 2 ? m.ptr[2] : 0,
                              m.size > 3 ? m.ptr[3] : 0)
                    : qz_fail(err, QZ_EFORMAT,
                              "unknown container: file '%s': expected a GGUF or safetensors file, found an empty file",
                              path);
    qz_map_release(&m);
    return st;
}
