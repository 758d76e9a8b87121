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

int qz_exit_code(qz_status code) {
    switch (code) {
    case QZ_OK: return 0;
    case QZ_ECHECK: return 1;
    case QZ_EUSAGE:
    case QZ_EFORMAT:
    case QZ_EUNSUPPORTED:
    case QZ_ENONFINITE: return 2;
    case QZ_EIO:
    case QZ_EMEMORY:
    case QZ_ENUMERIC:
    case QZ_EBUG: return 3;
    }
    return 3;
}

const char *qz_status_name(qz_status code) {
    static const char *const names[] = {"ok",      "usage", "io",    "format",    "unsupported", "memory",
                                        "numeric", "bug",   "check", "non-finite"};
    return (size_t)code < sizeof names / sizeof names[0] ? names[code] : "unknown";
}
