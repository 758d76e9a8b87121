/* The table of schemes and the parser of "scheme[:level][+flag…]". */
#include "artifacts/artifacts_int.h"
#include "artifacts/gguf_ftypes.h"
#include "artifacts/module_rules.h"
#include "artifacts/schemes.h"
#include "base/size.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Where every scheme and level stands. */
#define LISTED "'quantz plan qwen3-4b --formats all' lists all"

static const qz_scheme_info infos[QZ_SCHEME_COUNT] = {
#define QZ_SCHEME(id, name, level, dir, best, compat, ops, help) \
    [QZ_SCHEME_##id] = { name, level, dir, best, compat, help },
#include "artifacts/schemes.def"
#undef QZ_SCHEME
};
static const qz_scheme_ops *const all_ops[QZ_SCHEME_COUNT] = {
#define QZ_SCHEME(id, name, level, dir, best, compat, ops, help) [QZ_SCHEME_##id] = &ops,
#include "artifacts/schemes.def"
#undef QZ_SCHEME
};

const qz_scheme_info *qz_scheme_get(qz_scheme s) { return &infos[s]; }
const qz_scheme_ops *qz_scheme_ops_get(qz_scheme s) { return all_ops[s]; }
const qz_code_kind *qz_scheme_code_kind(const qz_scheme_spec *s) {
    const qz_scheme_ops *o = all_ops[s->scheme];
    return o->kind_of ? o->kind_of(s) : &o->kind;
}
const qz_scheme_spec *qz_item_spec(const qz_artifact_plan *plan, const qz_artifact_item *it) {
    return it->as ? it->as : &plan->spec;
}
const qz_code_kind *qz_item_code_kind(const qz_artifact_plan *plan, const qz_artifact_item *it) {
    return qz_scheme_code_kind(qz_item_spec(plan, it));
}
qz_status qz_artifact_round(qz_run *run, const qz_artifact_plan *plan, const qz_artifact_item *it, const float *w,
                            qz_arena *arena, const qz_coded **out, qz_error *err) {
    const qz_scheme_ops *o = all_ops[plan->spec.scheme];
    *out = NULL;
    return o->round ? o->round(run, plan, it, w, arena, out, err)
                    : qz_fail(err, QZ_EBUG, "tensor '%s': the scheme has no such codes", it->name);
}
uint8_t qz_scheme_least_zero(const qz_scheme_spec *s) { return all_ops[s->scheme]->kind.free && !s->v2; }
qz_module_room qz_scheme_module_room(qz_scheme s) {
    return all_ops[s]->kind.free    ? QZ_MODULES_ALL
           : all_ops[s]->mixed      ? QZ_MODULES_LEVELS
           : infos[s].directory     ? QZ_MODULES_KEEP
                                    : QZ_MODULES_NONE;
}
bool qz_scheme_loose(const qz_scheme_spec *s) {
    return qz_scheme_ops_get(s->scheme)->loose && !qz_scheme_static_inputs(s) && !s->kv;
}
bool qz_scheme_static_inputs(const qz_scheme_spec *s) {
    bool any = s->static_inputs;
    for (size_t i = 0; i < s->n_modules; i++) any |= s->modules[i].as && s->modules[i].as->static_inputs;
    return any;
}
const char *qz_scheme_level(qz_scheme s, size_t i) { return all_ops[s]->level(i); }

static const struct { const char *name; int number; const char *told; } gone[] = {
#define QZ_GONE(name, number, told) {name, number, told},
#include "artifacts/gguf_gone.def"
#undef QZ_GONE
};

/* Other names of a level. */
static const struct { const char *name, *level; } aliases[] = {{"fp8:channel", "ct:fp8_dynamic"}};

/* Words of llama-quantize that are no level: its answer, or false. */
static bool is_gone(const char *level, qz_error *err) {
    char number[16];
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
        (void)snprintf(number, sizeof number, "%d", gone[i].number);
        if (strcasecmp(level, gone[i].name) != 0 && strcmp(level, number) != 0) continue;
        (void)qz_fail(err, QZ_EUSAGE, "type '%s' of llama-quantize %s", gone[i].name, gone[i].told);
        return true;
    }
    return false;
}

static void lower(char out[64], const char *text) {
    size_t i = 0;
    for (; i < 63 && text[i]; i++) out[i] = (char)tolower((unsigned char)text[i]);
    out[i] = 0;
}

/* A word that shares little with a name means another one. */
static size_t near_limit(const char *word) { return qz_max_size(2, strlen(word) / 2 + 1); }

/* Nearest known spelling among "scheme", "scheme:level" and the bare levels of gguf. */
static qz_status unknown(const char *text, qz_error *err) {
    char best[64] = "", name[64], low[64], cmp[64];
    lower(low, text);
    qz_near near = {.word = low, .limit = near_limit(low)};
    for (int s = 0; s < QZ_SCHEME_COUNT; s++)
        for (size_t i = 0; i == 0 || all_ops[s]->level(i - 1); i++)
            for (int bare = 0; bare < 2; bare++) {
                const char *level = i ? all_ops[s]->level(i - 1) : "";
                if (bare && (s != QZ_SCHEME_GGUF || !i)) continue;
                snprintf(name, sizeof name, "%s%s%s", bare ? "" : infos[s].name, i && !bare ? ":" : "", level);
                lower(cmp, name);
                if (qz_near_see(&near, cmp)) memcpy(best, name, strlen(name) + 1);
            }
    return qz_fail(err, QZ_EUSAGE,
                   "unknown scheme '%s': expected scheme[:level][+flag]; %s%s%s (" LISTED ")", text,
                   *best ? "nearest known is '" : "none is like it", best, *best ? "'" : "");
}

qz_status qz_scheme_one_of(const char *level, qz_error *err) {
    char word[64], all[256] = "";
    size_t n = 0, at = 0;
    if (strchr(level, ':')) return QZ_OK;
    (void)snprintf(word, sizeof word, "%.*s", (int)qz_min_size(strcspn(level, "+"), sizeof word - 1), level);
    for (int s = 0; s < QZ_SCHEME_COUNT; s++)
        for (size_t i = 0; all_ops[s]->level(i) && at < sizeof all - 64; i++) {
            if (strcasecmp(all_ops[s]->level(i), word) != 0) continue;
            at += (size_t)snprintf(all + at, sizeof all - at, "%s%s:%s", n++ ? ", " : "", infos[s].name,
                                   all_ops[s]->level(i));
        }
    if (n < 2) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE, "'%s' is a level of several schemes: expected one of %s", level, all);
}

/* The scheme is known: its own levels are what was meant. */
static qz_status unknown_level(int s, const char *text, const char *level, qz_error *err) {
    enum { SHOWN = 8 };
    char best[64] = "", low[64], cmp[64], all[256] = "";
    size_t n = 0, at = 0;
    lower(low, level);
    qz_near near = {.word = low, .limit = near_limit(low)};
    for (const char *one; (one = all_ops[s]->level(n)) != NULL; n++) {
        lower(cmp, one);
        if (qz_near_see(&near, cmp)) (void)snprintf(best, sizeof best, "%s", one);
        if (at < sizeof all - 32) at += (size_t)snprintf(all + at, sizeof all - at, "%s%s", n ? ", " : "", one);
    }
    if (*best)
        return qz_fail(err, QZ_EUSAGE,
                       "unknown scheme '%s': expected scheme[:level][+flag]; nearest known is '%s:%s' (" LISTED ")",
                       text, infos[s].name, best);
    return qz_fail(err, QZ_EUSAGE, "unknown level '%s' of scheme '%s'%s%s; " LISTED, level,
                   infos[s].name, n <= SHOWN ? ": expected " : ": none is like it", n <= SHOWN ? all : "");
}

static qz_status parse(qz_scheme s, const char *level, const char *flags, qz_scheme_spec *out, qz_error *err) {
    *out = (qz_scheme_spec){ .scheme = s, .mix = { .output_type = -1, .embedding_type = -1 } };
    QZ_TRY(all_ops[s]->parse(out, *level ? level : infos[s].default_level, flags, err));
    snprintf(out->name, sizeof out->name, "%s:%.15s%s%.50s", infos[s].name, out->level, *flags ? "+" : "", flags);
    return QZ_OK;
}

qz_status qz_scheme_parse(const char *text, qz_scheme_spec *out, qz_error *err) {
    char buf[64], *level, *flags;
    if (!*text || strlen(text) >= sizeof buf) return unknown(text, err);
    memcpy(buf, text, strlen(text) + 1);
    flags = strchr(buf, '+');
    if (flags) *flags++ = 0;
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcasecmp(buf, aliases[i].name) == 0) {
            char own[sizeof buf + 32];
            (void)snprintf(own, sizeof own, "%s%s%s", aliases[i].level, flags ? "+" : "", flags ? flags : "");
            return qz_scheme_parse(own, out, err);
        }
    for (char *p = flags; p && *p; p++) *p = (char)tolower((unsigned char)*p);
    level = strchr(buf, ':');
    if (level) *level++ = 0;
    for (int s = 0; s < QZ_SCHEME_COUNT; s++) {
        if (strcasecmp(buf, infos[s].name)) continue;
        qz_error inner = {0};
        if (parse((qz_scheme)s, level ? level : "", flags ? flags : "", out, &inner) == QZ_OK) return QZ_OK;
        if (inner.text[0]) return qz_fail(err, inner.code, "%s", inner.text);
        if (s == QZ_SCHEME_GGUF && level && is_gone(level, err)) return QZ_EUSAGE;
        return unknown_level(s, text, level ? level : "", err);
    }
    if (!level && is_gone(buf, err)) return QZ_EUSAGE;
    if (!level) QZ_TRY(qz_scheme_one_of(buf, err));
    if (!level && qz_ftype_by_name(buf) != QZ_FTYPE_COUNT)
        return parse(QZ_SCHEME_GGUF, buf, flags ? flags : "", out, err);
    return unknown(text, err);
}
