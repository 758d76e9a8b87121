#include "produce/naming.h"
#include "base/io.h"
#include "base/size.h"
#include "base/utf8.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

qz_status qz_name_check(const char *name, qz_error *err) {
    if (name == NULL) return QZ_OK;
    const size_t n = strlen(name);
    if (n == 0)
        return qz_fail(err, QZ_EUSAGE, "--name is empty: expected a name; leave it out to keep the source's");
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return qz_fail(err, QZ_EUSAGE,
                           "bad value for --name: expected text in one line, found the control character 0x%02x at "
                           "byte %zu; give a name without it",
                           (unsigned)(unsigned char)name[i], i + 1);
    if (!qz_utf8_valid(name, n))
        return qz_fail(err, QZ_EUSAGE,
                       "bad value for --name: expected UTF-8, found bytes of another encoding; give the name in UTF-8");
    return QZ_OK;
}

qz_status qz_default_output(const qz_source *s, const qz_scheme_spec *spec, const char *dir, const char *name,
                            char **out, qz_error *err) {
    const qz_scheme_info *info = qz_scheme_get(spec->scheme);
    char file[320], upper[32], recipe[sizeof spec->name];
    const char *base = name ? name : s->name;
    size_t i = 0;
    *out = NULL;
    if (name && strchr(name, '/'))
        return qz_fail(err, QZ_EUSAGE,
                       "bad value '%s' for --name: expected a plain name, because the output is named after it, found "
                       "a path; give -o FILE beside it, or a name without '/'",
                       name);
    for (; info->name[i] && i < sizeof upper - 1; i++) upper[i] = (char)toupper((unsigned char)info->name[i]);
    upper[i] = 0;
    /* level and flags: "w4g64-asym" */
    (void)snprintf(recipe, sizeof recipe, "%s", spec->name + strlen(info->name) + 1);
    for (char *p = recipe; *p; p++) *p = *p == '+' ? '-' : *p;
    bool plain = strcmp(recipe, info->default_level) == 0;
    if (!info->directory) (void)snprintf(file, sizeof file, "%s.%s.gguf", base, spec->level);
    else (void)snprintf(file, sizeof file, "%s-%s%s%s", base, upper, plain ? "" : "-", plain ? "" : recipe);
    *out = qz_path_join(dir ? dir : ".", file);
    return *out ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
}

bool qz_output_is_place(const char *given) {
    size_t n = strlen(given);
    return (n && given[n - 1] == '/') || qz_path_is_dir(given);
}

qz_status qz_output_name(const qz_source *s, const qz_scheme_spec *spec, const char *given, const char *name,
                         char **out, qz_error *err) {
    QZ_TRY(qz_name_check(name, err));
    if (!given || !(qz_scheme_get(spec->scheme)->directory || !qz_output_is_place(given)))
        return qz_default_output(s, spec, given, name, out, err);
    *out = qz_strdup(given);
    return *out ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
}

qz_status qz_scheme_list(const char *text, qz_arena *arena, qz_scheme_spec **out, size_t *n, qz_error *err) {
    *out = qz_arena_calloc(arena, qz_list_count(text), sizeof **out);
    *n = 0;
    if (*out == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (qz_piece p; qz_list_next(&text, &p);) {
        char *one = qz_arena_strndup(arena, p.at, p.n);
        if (one == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
        QZ_TRY(qz_scheme_parse(one, &(*out)[*n], err));
        for (size_t i = 0; i < *n; i++)
            if (strcmp((*out)[i].name, (*out)[*n].name) == 0)
                return qz_fail(err, QZ_EUSAGE, "artifact '%s' is asked for twice", (*out)[i].name);
        (*n)++;
    }
    return *n ? QZ_OK : qz_fail(err, QZ_EUSAGE, "no artifact is asked for; use --to, for example --to awq,gguf:Q4_K_M");
}

qz_target_options qz_target_asked(const qz_request *r) {
    return (qz_target_options){.engine = r->engine, .cc = r->cc, .kv = r->kv, .tp = r->tp, .loras = r->loras};
}
