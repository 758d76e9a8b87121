#include "base/status.h"
#include <stdio.h>

qz_status qz_fail(qz_error *err, qz_status code, const char *fmt, ...) {
    if (err != NULL && err->code == QZ_OK) {
        va_list ap;
        va_start(ap, fmt);
        (void)vsnprintf(err->text, sizeof err->text, fmt, ap);
        va_end(ap);
        for (char *c = err->text; *c; c++)
            if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?'; /* one line, whatever a file calls its parts */
        err->code = code;
    }
    return code;
}

static const qz_error_kind kinds[] = {
    {QZ_OK, "ok", "", 0, "", ""},
#define QZ_ERROR(id, name, code, exit, what, cure) [QZ_##id] = {QZ_##id, name, code, exit, what, cure},
#include "base/errors.def"
};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

const qz_error_kind *qz_error_kind_at(size_t i) { return i + 1 < N_KINDS ? &kinds[i + 1] : NULL; }
int qz_exit_code(qz_status code) { return (size_t)code < N_KINDS ? kinds[code].exit : 3; }
const char *qz_status_name(qz_status code) { return (size_t)code < N_KINDS ? kinds[code].name : "unknown"; }
const char *qz_status_code(qz_status code) { return (size_t)code < N_KINDS ? kinds[code].code : "E-BUG"; }
