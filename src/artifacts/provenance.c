#include "artifacts/provenance.h"
#include "artifacts/open.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "formats/gguf.h"
#include "text/accepted.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANIFEST_LIMIT = 64 << 20 };

static const char *in_manifest(const char *path, const char *key, qz_arena *arena) {
    char *mp = qz_manifest_path(path);
    json_t *root = NULL;
    const char *found = NULL;
    char *object = NULL;
    if (mp && qz_path_exists(mp) && qz_json_load(mp, MANIFEST_LIMIT, &root, &(qz_error){0}) == QZ_OK) {
        const json_t *value = json_object_get(json_object_get(root, "provenance"), key);
        if (json_is_object(value)) object = json_dumps(value, JSON_COMPACT);
        found = object ? object : json_string_value(value);
    }
    found = found ? qz_arena_strdup(arena, found) : NULL;
    free(object); /* jansson's */
    json_decref(root);
    qz_free(mp);
    return found;
}

const char *qz_provenance_in(const char *path, const char *key, qz_arena *arena) {
    const char *found = in_manifest(path, key, arena);
    char name[80];
    qz_gguf g = {0};
    qz_gguf_text text = {0};
    if (found || qz_path_is_dir(path) || !qz_path_exists(path)) return found;
    if (qz_gguf_open(&g, path, &(qz_error){0}) != QZ_OK) return NULL;
    (void)snprintf(name, sizeof name, "quantz.%.60s", key);
    if (qz_gguf_str(&g, name, false, &text, &(qz_error){0}) == QZ_OK && text.n)
        found = qz_arena_strndup(arena, text.ptr, text.n);
    qz_gguf_release(&g);
    return found;
}

const char *qz_accepted_in(const char *path, qz_arena *arena) { return qz_provenance_in(path, QZ_ACCEPTED_KEY, arena); }

static const char *hash_in(const char *path, const char *key, qz_arena *arena) {
    const char *v = qz_provenance_in(path, key, arena);
    return v && strlen(v) == 64 ? v : NULL; /* not "UNKNOWN" */
}
const char *qz_origin_in(const char *path, qz_arena *arena) {
    const char *v = hash_in(path, QZ_ORIGIN_KEY, arena);
    return v ? v : hash_in(path, QZ_SOURCE_KEY, arena);
}

void qz_accepted_line(const char *list, qz_str *out) {
    const char *begin = "calibration data accepted with ";
    for (qz_accepted x; qz_accepted_next(&list, &x); begin = "; ")
        qz_str_printf(out, "%s%s (%s)", begin, x.code, x.finding);
}
