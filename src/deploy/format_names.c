#include "deploy/format_names.h"
#include <string.h>
#include <strings.h>

enum { QZ_LEVEL_NONE = QZ_LEVEL_COUNT };
static const struct { const char *name; qz_deploy kind; qz_level released; bool method, begins; } rows[] = {
#define QZ_FORMAT_NAME(name, kind, released, method, begins) \
    {name, QZ_DEPLOY_##kind, (qz_level)QZ_LEVEL_##released, method, begins},
#include "deploy/format_names.def"
#undef QZ_FORMAT_NAME
};
enum { ROWS = sizeof rows / sizeof rows[0] };

qz_deploy qz_deploy_of_method(const char *method) {
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].method && strcasecmp(rows[i].name, method) == 0) return rows[i].kind;
    return QZ_DEPLOY_UNKNOWN;
}

qz_deploy qz_deploy_of_level(const char *name) {
    qz_deploy kind = QZ_DEPLOY_UNKNOWN;
    size_t longest = 0;
    for (size_t i = 0; i < ROWS; i++) {
        const size_t n = strlen(rows[i].name);
        if (rows[i].begins && n > longest && strncasecmp(rows[i].name, name, n) == 0) longest = n, kind = rows[i].kind;
    }
    return kind;
}

qz_level qz_level_of_release(const char *method) {
    for (size_t i = 0; i < ROWS; i++)
        if (strcasecmp(rows[i].name, method) == 0) return rows[i].released;
    return QZ_LEVEL_COUNT;
}

uint64_t qz_released_bytes(const qz_shape *s) {
    qz_weighed w;
    const qz_level level = qz_level_of_release(s->released);
    const bool known = level != QZ_LEVEL_COUNT;
    if (known && (s->released_bits == 0 || s->released_bits == qz_level_get(level)->bits) &&
        qz_level_weigh(s, level, true, NULL, &w, &(qz_error){0}) == QZ_OK) return w.bytes;
    return s->params * s->released_bits / 8;
}
