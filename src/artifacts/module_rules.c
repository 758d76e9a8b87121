/* Rules for single modules: their text, what they decide on a model, and the object `dynamic` for the file. */
#include "artifacts/gptq_int.h"
#include "artifacts/module_rules.h"
#include "artifacts/loose.h"
#include "artifacts/schemes.h"
#include "base/size.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_LIMIT = 512 };

/* ---- a rule's text ---- */
/* Wildcards -> regular expression for a name from its start; the pattern stands for whole parts of it ("layers.1" is
 * not "layers.10"). False: a bracket that does not close, or that holds something else than letters,
 * digits, - and _. */
static bool from_wildcards(const char *p, const char *end, qz_str *out) {
    bool braces = false;
    qz_str_puts(out, "(?:.*\\.)?");
    for (; p < end; p++) {
        if (*p == '*') qz_str_puts(out, ".*");
        else if (*p == '?') qz_str_puts(out, ".");
        else if (*p == '{' && !braces) braces = true, qz_str_puts(out, "(?:");
        else if (*p == '}' && braces) braces = false, qz_str_puts(out, ")");
        else if (*p == ',' && braces) qz_str_puts(out, "|");
        else if (*p == '[') {
            size_t n = 1;
            qz_str_puts(out, p + n < end && p[n] == '!' ? "[^" : "[");
            n += p + n < end && p[n] == '!';
            const char *first = p + n;
            while (first < end && (isalnum((unsigned char)*first) || *first == '-' || *first == '_')) first++;
            if (first == p + n || first == end || *first != ']') return false;
            qz_str_append(out, p + n, (size_t)(first - p) - n);
            qz_str_puts(out, "]");
            p = first;
        } else if (strchr("{}],\\", *p)) return false;
        else
            qz_str_printf(out, "%s%c", (unsigned char)*p > 127 || isalnum((unsigned char)*p) || *p == '_' ? "" : "\\",
                          *p);
    }
    qz_str_puts(out, "(?:\\.|$)");
    return !braces;
}

#define EXPECTED "expected bits:N, group_size:N, sym, asym, act_order, no_act_order with commas, or keep"

static qz_status parse_number(qz_module_rule *r, const char *p, size_t n, qz_error *err) {
    const char *colon = memchr(p, ':', n);
    char *end;
    bool bits = colon - p == 4 && strncmp(p, "bits", 4) == 0,
         group = colon - p == 10 && strncmp(p, "group_size", 10) == 0;
    long v = strtol(colon + 1, &end, 10);
    if (!bits && !group)
        return qz_fail(err, QZ_EUSAGE, "unknown setting '%.*s' in --module '%.200s': " EXPECTED, (int)n, p, r->text);
    if (end != p + n || end == colon + 1 || (bits ? !qz_gptq_bits_known(v) : !qz_gptq_group_known(v)))
        return qz_fail(err, QZ_EUSAGE, "bad value '%.*s' in --module '%.200s': expected %s", (int)n, p, r->text,
                       bits ? "bits:2, 3, 4 or 8" : "group_size:-1 (whole row), 16, 32, 64, 128, 256, 512 or 1024");
    int *field = bits ? &r->bits : &r->group_size;
    if (*field != QZ_AS_SCHEME)
        return qz_fail(err, QZ_EUSAGE, "%s is given twice in --module '%.200s'", bits ? "bits" : "group_size", r->text);
    *field = bits ? (int)v : (int)qz_group_read(v);
    return QZ_OK;
}

static qz_status parse_settings(qz_module_rule *r, const char *p, qz_error *err) {
    static const struct { const char *word; size_t field; int value; } words[] = {
        { "sym", offsetof(qz_module_rule, sym), 1 }, { "asym", offsetof(qz_module_rule, sym), 0 },
        { "act_order", offsetof(qz_module_rule, act_order), 1 },
        { "no_act_order", offsetof(qz_module_rule, act_order), 0 } };
    if (strcmp(p, "keep") == 0) {
        r->keep = true;
        return QZ_OK;
    }
    if (*p == 0 || qz_str_ends(p, ","))
        return qz_fail(err, QZ_EUSAGE, "unknown setting '' in --module '%.200s': " EXPECTED, r->text);
    for (qz_piece one; qz_list_next(&p, &one);) {
        size_t i = 0;
        while (i < 4 && (strlen(words[i].word) != one.n || strncmp(words[i].word, one.at, one.n))) i++;
        if (i == 4 && memchr(one.at, ':', one.n)) QZ_TRY(parse_number(r, one.at, one.n, err));
        else if (i == 4)
            return qz_fail(err, QZ_EUSAGE, "unknown setting '%.*s' in --module '%.200s': " EXPECTED, (int)one.n, one.at,
                           r->text);
        else {
            int *field = (int *)(void *)((char *)r + words[i].field);
            if (*field != QZ_AS_SCHEME)
                return qz_fail(err, QZ_EUSAGE, "settings contradict or repeat each other in --module '%.200s'",
                               r->text);
            *field = words[i].value;
        }
    }
    return QZ_OK;
}

/* "nvfp4a16", "ct:nvfp4a16": a level of the scheme itself. */
static bool is_level(const qz_scheme_spec *spec, const char *text, qz_scheme_spec *out) {
    char name[96];
    const bool whole = strchr(text, ':') != NULL;
    (void)snprintf(name, sizeof name, "%s%s%s", whole ? "" : qz_scheme_get(spec->scheme)->name, whole ? "" : ":", text);
    return qz_scheme_parse(name, out, &(qz_error){0}) == QZ_OK && out->scheme == spec->scheme;
}

static qz_status parse_level(const qz_scheme_spec *spec, const char *text, qz_arena *arena, qz_module_rule *r,
                             qz_error *err) {
    qz_scheme_spec *as = qz_arena_alloc(arena, 1, sizeof *as);
    if (!as) return qz_fail(err, QZ_EMEMORY, "out of memory");
    r->as = as;
    if (is_level(spec, text, as)) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE,
                   "bad level '%.60s' in --module '%.200s': expected keep, or a level of '%s' such as %s", text,
                   r->text, qz_scheme_get(spec->scheme)->name, qz_scheme_level(spec->scheme, 0));
}

bool qz_module_rule_fits(const qz_scheme_spec *spec, const char *text) {
    const char *equals = strrchr(text, '=');
    qz_scheme_spec as;
    switch (qz_scheme_module_room(spec->scheme)) {
    case QZ_MODULES_NONE: return false;
    case QZ_MODULES_KEEP: return equals && strcmp(equals, "=keep") == 0;
    case QZ_MODULES_LEVELS: return equals && (strcmp(equals, "=keep") == 0 || is_level(spec, equals + 1, &as));
    case QZ_MODULES_ALL: return !equals || qz_scheme_parse(equals + 1, &as, &(qz_error){0}) != QZ_OK;
    }
    return false;
}

static qz_status parse_rule(const qz_scheme_spec *spec, const char *text, qz_arena *arena, qz_module_rule *r,
                            qz_error *err) {
    const char *equals = strrchr(text, '=');
    qz_str s = {0};
    bool ok = true, yes;
    qz_error inner = {0};
    *r = (qz_module_rule){ .text = text, .bits = QZ_AS_SCHEME, .group_size = QZ_AS_SCHEME, .sym = QZ_AS_SCHEME,
                           .act_order = QZ_AS_SCHEME };
    if (!equals || equals == text || !equals[1])
        return qz_fail(err, QZ_EUSAGE,
                       "bad --module '%.200s': expected PATTERN=SETTINGS, for example 'down_proj=bits:8,group_size:32' "
                       "or 'layers.0=keep'",
                       text);
    if (strncmp(text, "re:", 3) == 0) qz_str_append(&s, text + 3, (size_t)(equals - text) - 3);
    else ok = from_wildcards(text, equals, &s);
    r->pattern = s.failed ? NULL : qz_arena_strndup(arena, s.ptr ? s.ptr : "", s.len);
    qz_str_release(&s);
    if (!ok)
        return qz_fail(err, QZ_EUSAGE,
                       "bad pattern in --module '%.200s': expected parts of a module's name with * ? [0-3] {q,k,v}, or "
                       "re:REGEX",
                       text);
    if (!r->pattern) return qz_fail(err, QZ_EMEMORY, "out of memory");
    if (qz_module_match(r->pattern, "model.layers.0.self_attn.q_proj", "--module", &yes, &inner) != QZ_OK)
        return qz_fail(err, inner.code == QZ_EMEMORY ? QZ_EMEMORY : QZ_EUSAGE, "bad pattern in --module '%.200s': %s",
                       text, inner.text);
    if (qz_scheme_module_room(spec->scheme) == QZ_MODULES_KEEP && strcmp(equals + 1, "keep") != 0)
        return qz_fail(err, QZ_EUSAGE,
                       "--module '%.200s': a folder of '%s' has one setting for all that it quantizes: expected "
                       "PATTERN=keep (gptq has numbers for single modules, ct levels)",
                       text, spec->name);
    if (qz_scheme_module_room(spec->scheme) == QZ_MODULES_LEVELS && strcmp(equals + 1, "keep") != 0)
        return parse_level(spec, equals + 1, arena, r, err);
    return parse_settings(r, equals + 1, err);
}

qz_status qz_module_rules_parse(qz_scheme_spec *spec, const char *const *texts, size_t n, qz_arena *arena,
                                qz_error *err) {
    if (n == 0) return QZ_OK;
    const qz_module_room room = qz_scheme_module_room(spec->scheme);
    if (room == QZ_MODULES_NONE)
        return qz_fail(err, QZ_EUSAGE, "--module is for folders: types of single tensors of '%s' are given with "
                                       "--tensor-type",
                       spec->name);
    qz_module_rule *rules = qz_arena_alloc(arena, n, sizeof *rules);
    if (!rules) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t i = 0; i < n; i++) {
        QZ_TRY(parse_rule(spec, texts[i], arena, &rules[i], err));
        /* one spelling of zero points in a file */
        if (rules[i].sym == 0 && !strstr(spec->name, "+v1")) spec->v2 = true;
    }
    spec->modules = rules;
    spec->n_modules = n;
    return QZ_OK;
}

/* ---- settings ---- */
/* "model.layers.0.mlp.down_proj" of its tensor "….weight". */
static void module_name(const char *tensor, char buf[NAME_LIMIT]) {
    size_t n = strlen(tensor);
    if (qz_str_ends(tensor, ".weight")) n -= strlen(".weight");
    (void)snprintf(buf, NAME_LIMIT, "%.*s", (int)n, tensor);
}

static qz_status first_rule(const qz_scheme_spec *s, const char *module, const qz_module_rule **out, qz_error *err) {
    *out = NULL;
    for (size_t i = 0; i < s->n_modules && !*out; i++) {
        bool yes = false;
        QZ_TRY(qz_module_match(s->modules[i].pattern, module, "--module", &yes, err));
        if (yes) *out = &s->modules[i];
    }
    return QZ_OK;
}

const qz_module_rule *qz_module_rule_of(const qz_code_setting *x) { return x->rule; }

/* The scheme's setting with what the rule (NULL: none) changes. */
static qz_code_setting apply(const qz_scheme_spec *s, const qz_module_rule *r) {
    if (r && r->as) s = r->as;
    qz_code_setting out = { .element = s->element, .scale = s->scale, .values = s->values, .bits = s->bits,
                            .group_size = s->group_size, .block_rows = s->block_rows, .sym = s->sym,
                            .rounded = s->rounded, .act_order = s->act_order, .static_groups = s->static_groups,
                            .least_zero = qz_scheme_least_zero(s), .inputs = s->inputs.bits ? &s->inputs : NULL,
                            .rule = r };
    if (!r) return out;
    out.keep = r->keep;
    if (r->bits != QZ_AS_SCHEME) out.bits = (uint32_t)r->bits;
    if (r->group_size != QZ_AS_SCHEME) out.group_size = (uint32_t)r->group_size;
    if (r->sym != QZ_AS_SCHEME) out.sym = r->sym;
    if (r->act_order != QZ_AS_SCHEME) out.act_order = r->act_order;
    return out;
}

qz_status qz_module_setting_of(const qz_scheme_spec *s, const char *name, qz_code_setting *out, qz_error *err) {
    const qz_module_rule *r;
    char module[NAME_LIMIT];
    module_name(name, module);
    QZ_TRY(first_rule(s, module, &r, err));
    *out = apply(s, r);
    return QZ_OK;
}

qz_code_setting qz_module_usual(const qz_scheme_spec *spec) { return apply(spec, NULL); }

bool qz_module_setting_equal(const qz_code_setting *a, const qz_code_setting *b) {
    if (a->keep || b->keep) return a->keep == b->keep;
    const qz_module_rule *ra = a->rule, *rb = b->rule; /* levels may differ in their inputs alone */
    const char *la = ra && ra->as ? ra->as->name : "", *lb = rb && rb->as ? rb->as->name : "";
    return a->bits == b->bits && a->group_size == b->group_size && a->sym == b->sym && a->act_order == b->act_order &&
           a->element == b->element && a->scale == b->scale && a->block_rows == b->block_rows && strcmp(la, lb) == 0;
}

const char *qz_module_setting_text(const qz_code_setting *s, char buf[64]) {
    char groups[24] = "whole rows";
    if (s->group_size != QZ_WHOLE_ROW) (void)snprintf(groups, sizeof groups, "groups of %u", s->group_size);
    const qz_module_rule *r = s->rule;
    if (s->keep) (void)snprintf(buf, 64, "kept float");
    else if (r && r->as) (void)snprintf(buf, 64, "%.63s", r->as->name);
    else if (s->element != QZ_ELEMENT_INT) (void)snprintf(buf, 64, "as the others");
    else
        (void)snprintf(buf, 64, "%u bits, %s, %s%s", s->bits, groups, s->sym ? "symmetric" : "asymmetric",
                       s->act_order ? ", act_order" : "");
    return buf;
}

/* ---- the rules on a model ---- */
/* "model.layers.3.mlp.gate_up_proj", which engines make of the linears of the input, from the name of the first of
 * them. */
static void fused_name(const qz_model *m, size_t layer, const qz_input *in, char buf[NAME_LIMIT]) {
    module_name(m->blocks[layer].linear[in->first]->name, buf);
    char *dot = strrchr(buf, '.');
    size_t at = dot ? (size_t)(dot - buf) + 1 : 0;
    (void)snprintf(buf + at, NAME_LIMIT - at, "%s", qz_last_word(in->fused->hf));
}

/* Do engines load the linears of the input as one matrix that has a name, and are they matrices of their own here? */
static bool apart(const qz_model *m, const qz_input *in) { return in->fused && in->fused->hf && !m->config.fused; }

/* "all three: {q,k,v}_proj" */
static void pattern_of_all(const qz_model *m, size_t layer, const qz_input *in, char buf[64]) {
    qz_site s;
    int n = snprintf(buf, 64, in->n == 2 ? "both" : in->n == 3 ? "all three" : "all");
    for (size_t l = in->first; in->expert < 0 && l < in->first + in->n && n < 64; l++) {
        const bool last = l + 1 == in->first + in->n;
        if (!qz_site_of(&m->config, layer, l, &s)) break;
        const char *word = qz_last_word(s.name);
        const size_t own = strcspn(word, "_");
        n += snprintf(buf + n, 64 - (size_t)n, "%s%.*s%s%s", l == in->first ? ": {" : ",", (int)own, word,
                      last ? "}" : "", last ? word + own : "");
    }
}

static qz_status check_same(const qz_scheme_spec *s, const qz_model *m, size_t layer, const qz_input *in,
                            qz_error *err) {
    const qz_block *b = &m->blocks[layer];
    char name[NAME_LIMIT], first[NAME_LIMIT], a[64], c[64], all[64];
    qz_code_setting have, want;
    module_name(qz_block_linear(b, in->first, in->expert)->name, first);
    QZ_TRY(qz_module_setting_of(s, first, &want, err));
    for (size_t l = in->first + 1; l < in->first + in->n; l++) {
        module_name(qz_block_linear(b, l, in->expert)->name, name);
        QZ_TRY(qz_module_setting_of(s, name, &have, err));
        if (qz_module_setting_equal(&have, &want)) continue;
        pattern_of_all(m, layer, in, all);
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "--module '%.120s' splits a layer that engines load as one matrix: '%.120s' %s, '%.120s' %s; "
                       "let the pattern match %s",
                       qz_module_rule_of(have.rule ? &have : &want)->text, first, qz_module_setting_text(&want, a),
                       name, qz_module_setting_text(&have, c), all);
    }
    return QZ_OK;
}

static qz_status check_fused(const qz_scheme_spec *s, const qz_model *m, const qz_input_widths *w, size_t layer,
                             qz_error *err) {
    char name[NAME_LIMIT];
    qz_code_setting have;
    for (size_t i = 0; i < qz_inputs(w, layer); i++) {
        const qz_input in = qz_input_at(w, layer, i);
        if (in.fused == NULL || m->config.fused) continue;
        QZ_TRY(check_same(s, m, layer, &in, err));
        if (!apart(m, &in)) continue;
        fused_name(m, layer, &in, name);
        QZ_TRY(qz_module_setting_of(s, name, &have, err)); /* its limits, here where an error can be told */
    }
    return QZ_OK;
}

/* The same of a model that is known by its names alone. */
static qz_status check_merged(const qz_scheme_spec *s, const qz_model *m, qz_error *err) {
    char first[NAME_LIMIT], name[NAME_LIMIT], a[64], c[64];
    const qz_tensor_view *t, *all[QZ_LOOSE_MERGED_MOST];
    qz_code_setting have, want;
    for (size_t i = 0; (t = qz_loose_next(m, &i)) != NULL;) {
        const size_t n = qz_loose_merged(m, t, all);
        if (all[0] != t) continue;
        module_name(t->name, first);
        QZ_TRY(qz_module_setting_of(s, first, &want, err));
        for (size_t k = 1; k < n; k++) {
            module_name(all[k]->name, name);
            QZ_TRY(qz_module_setting_of(s, name, &have, err));
            if (!qz_module_setting_equal(&have, &want))
                return qz_fail(err, QZ_EUNSUPPORTED,
                               "--module '%.120s' splits a layer that engines load as one matrix: '%.120s' %s, "
                               "'%.120s' %s; let the pattern match both",
                               qz_module_rule_of(have.rule ? &have : &want)->text, first,
                               qz_module_setting_text(&want, a), name, qz_module_setting_text(&have, c));
        }
    }
    return QZ_OK;
}

typedef struct { size_t matches, decides; } usage;

static qz_status count_module(const qz_scheme_spec *s, const char *module, usage *u, size_t *coded, qz_error *err) {
    bool decided = false, yes;
    for (size_t i = 0; i < s->n_modules; i++) {
        QZ_TRY(qz_module_match(s->modules[i].pattern, module, "--module", &yes, err));
        u[i].matches += yes;
        u[i].decides += yes && !decided;
        *coded += yes && !decided && !s->modules[i].keep;
        decided |= yes;
    }
    *coded += !decided;
    return QZ_OK;
}

/* u [n_modules] what each rule does on the model, coded: modules that are left to quantize. */
static qz_status count_all(const qz_scheme_spec *s, const qz_model *m, usage *u, size_t *coded, qz_error *err) {
    char name[NAME_LIMIT];
    memset(u, 0, s->n_modules * sizeof *u);
    *coded = 0;
    const qz_tensor_view *t;
    for (size_t i = 0; m->loose && (t = qz_loose_next(m, &i)) != NULL;) {
        module_name(t->name, name);
        QZ_TRY(count_module(s, name, u, coded, err));
    }
    for (size_t l = 0; l < m->config.layers; l++)
        for (size_t i = 0; i < m->blocks[l].n_sites; i++) {
            const qz_bound *b = &m->blocks[l].sites[i];
            for (size_t e = 0; qz_site_linear(&b->site) && e < qz_max_size(1, b->site.experts); e++) {
                module_name(b->weight[e]->name, name);
                QZ_TRY(count_module(s, name, u, coded, err));
            }
        }
    if (!s->lm_head) return QZ_OK;
    module_name(m->head->name, name);
    return count_module(s, name, u, coded, err);
}

static qz_status judge(const qz_scheme_spec *s, const qz_model *m, usage *u, qz_error *err) {
    char name[NAME_LIMIT];
    size_t coded;
    QZ_TRY(count_all(s, m, u, &coded, err));
    const qz_tensor_view *t = m->loose ? qz_loose_next(m, &(size_t){0}) : NULL;
    if (m->loose) module_name(t ? t->name : "", name);
    for (size_t l = 0; l < QZ_LINEARS && !m->loose; l++)
        if (m->blocks[0].linear[l]) module_name(m->blocks[0].linear[l]->name, name); /* the last one is the example */
    for (size_t i = 0; i < s->n_modules; i++) {
        const char *rule = s->modules[i].text;
        if (!u[i].matches)
            return qz_fail(err, QZ_EUSAGE,
                           "--module '%.200s' matches no module that is quantized: names are like '%.120s'%s", rule,
                           name,
                           s->lm_head || qz_scheme_module_room(s->scheme) != QZ_MODULES_ALL
                               ? ""
                               : ", or 'lm_head' with +lm_head");
        if (!u[i].decides)
            return qz_fail(err, QZ_EUSAGE,
                           "--module '%.200s' has no effect: the rules before it decide all %zu modules that it "
                           "matches",
                           rule, u[i].matches);
    }
    return coded ? QZ_OK : qz_fail(err, QZ_EUSAGE, "no module is left to quantize: --module keeps all of them");
}

qz_status qz_module_rules_check(const qz_scheme_spec *s, const qz_model *m, qz_error *err) {
    if (s->n_modules == 0) return QZ_OK;
    usage *u = qz_alloc_array(s->n_modules, sizeof *u);
    qz_status st = u ? judge(s, m, u, err) : qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_free(u);
    qz_input_widths w;
    qz_input_widths_of(&m->config, &w);
    for (size_t l = 0; l < m->config.layers && st == QZ_OK; l++) st = check_fused(s, m, &w, l, err);
    if (m->loose && st == QZ_OK) st = check_merged(s, m, err);
    return st;
}

qz_status qz_module_rules_note(qz_artifact_plan *p, qz_arena *arena, qz_error *err) {
    const qz_scheme_spec *s = &p->spec;
    char text[64];
    size_t coded;
    if (s->n_modules == 0) return QZ_OK;
    usage *u = qz_arena_alloc(arena, s->n_modules, sizeof *u);
    if (!u) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", p->model->path);
    QZ_TRY(count_all(s, p->model, u, &coded, err));
    for (size_t i = 0; i < s->n_modules; i++) {
        const qz_code_setting x = apply(s, &s->modules[i]);
        QZ_TRY(qz_plan_note(p, arena, err, "%zu module%s by --module '%.200s': %s", u[i].decides,
                            u[i].decides == 1 ? "" : "s", s->modules[i].text, qz_module_setting_text(&x, text)));
    }
    return QZ_OK;
}

/* ---- the object ---- */
static bool put_rule(json_t *o, const char *pattern, const qz_code_setting *x, const qz_scheme_spec *s, bool all) {
    const qz_module_rule *r = x->rule;
    qz_str key = {0};
    json_t *v = json_object();
    qz_str_printf(&key, "%s%s", x->keep ? "-:" : "+:", pattern);
    bool ok = v && !key.failed;
    if (x->keep) all = false;
    if (ok && (all || r->bits != QZ_AS_SCHEME))
        ok = json_object_set_new(v, "bits", json_integer((json_int_t)x->bits)) == 0;
    if (ok && (all || r->group_size != QZ_AS_SCHEME))
        ok = json_object_set_new(v, "group_size", json_integer(qz_group_written(x->group_size))) == 0;
    if (ok && (all || r->sym != QZ_AS_SCHEME)) ok = json_object_set_new(v, "sym", json_boolean(x->sym)) == 0;
    if (ok && (all || r->act_order != QZ_AS_SCHEME))
        ok = json_object_set_new(v, "desc_act", json_boolean(x->act_order && !s->static_groups)) == 0;
    ok = ok && json_object_set(o, key.ptr, v) == 0;
    json_decref(v);
    qz_str_release(&key);
    return ok;
}

static void escaped(qz_str *out, const char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        qz_str_printf(out, "%s%c", (unsigned char)p[i] > 127 || isalnum((unsigned char)p[i]) || p[i] == '_' ? "" : "\\",
                      p[i]);
}

/* Layers where the rules give what engines make of the linears of a stage another setting than those have, if that is
 * by `rule` (NULL: the scheme's own). */
static bool put_fused(json_t *o, const qz_artifact_plan *p, const qz_input_widths *w, size_t stage,
                      const qz_module_rule *rule) {
    const qz_scheme_spec *s = &p->spec;
    const qz_model *m = p->model;
    char name[NAME_LIMIT], part[NAME_LIMIT], number[32];
    qz_code_setting want, have;
    qz_error ignored = {0};
    qz_str layers = {0}, pattern = {0};
    size_t n = 0, last = 0;
    for (size_t l = 0; l < m->config.layers; l++) {
        const qz_input in = qz_stage_input(w, l, stage);
        if (!apart(m, &in)) continue;
        module_name(m->blocks[l].linear[in.first]->name, part);
        fused_name(m, l, &in, name);
        if (qz_module_setting_of(s, part, &want, &ignored) != QZ_OK ||
            qz_module_setting_of(s, name, &have, &ignored) != QZ_OK)
            return false;
        if (want.rule == rule && !qz_module_setting_equal(&want, &have))
            qz_str_printf(&layers, "%s%zu", n++ ? "|" : "", last = l);
    }
    if (n == 0) return true;
    const qz_input in = qz_stage_input(w, last, stage);
    fused_name(m, last, &in, name);
    (void)snprintf(number, sizeof number, ".%zu.", last);
    const char *at = strstr(name, number);
    size_t head = at ? (size_t)(at - name) + 1 : strlen(name);
    escaped(&pattern, name, head);
    if (n == m->config.layers) qz_str_puts(&pattern, "\\d+");
    else qz_str_printf(&pattern, "(?:%s)", layers.failed ? "" : layers.ptr);
    const char *rest = name + head + (at ? strlen(number) - 2 : 0);
    escaped(&pattern, rest, strlen(rest));
    qz_str_puts(&pattern, "$");
    want = apply(s, rule);
    bool ok = !layers.failed && !pattern.failed && put_rule(o, pattern.ptr, &want, s, true);
    qz_str_release(&layers);
    qz_str_release(&pattern);
    return ok;
}

json_t *qz_module_rules_json(const qz_artifact_plan *p) {
    const qz_scheme_spec *s = &p->spec;
    json_t *o = json_object();
    bool ok = o != NULL;
    qz_input_widths w;
    qz_input_widths_of(&p->model->config, &w);
    for (size_t stage = 0; stage < QZ_STAGES; stage++)
        for (size_t i = 0; i <= s->n_modules && ok; i++)
            ok = put_fused(o, p, &w, stage, i ? &s->modules[i - 1] : NULL);
    for (size_t i = 0; i < s->n_modules && ok; i++) {
        qz_code_setting x = apply(s, &s->modules[i]);
        ok = put_rule(o, s->modules[i].pattern, &x, s, false);
    }
    if (!ok) json_decref(o);
    return ok ? o : NULL;
}
