/* The containers the program knows, found by content, never by a file's suffix.
 * qz_format f; qz_format_probe(path, &f, err); qz_format_name(f). */
#ifndef QZ_FORMATS_FORMATS_H
#define QZ_FORMATS_FORMATS_H
#include <stddef.h>
#include <stdint.h>
#include "base/status.h"

typedef enum {
#define QZ_FORMAT(id, ...) QZ_FORMAT_##id,
#include "formats/formats.def"
#undef QZ_FORMAT
    QZ_FORMAT_COUNT
} qz_format;

const char *qz_format_name(qz_format f);
/* From the first bytes of a file (16 are enough) and its size; QZ_FORMAT_COUNT if none fits. */
qz_format qz_format_detect(const uint8_t *head, size_t n, uint64_t file_size);
/* QZ_EFORMAT names the known containers if none fits; QZ_EIO if the file cannot be read. */
qz_status qz_format_probe(const char *path, qz_format *out, qz_error *err);
#endif
