#include "artifacts/tensor_types.h"
#include "artifacts/module_rules.h"
#include "artifacts/artifacts_int.h"
#include "artifacts/schemes.h"
#include "base/size.h"
#include "codecs/types.h"
#include "formats/gguf.h"
#include <string.h>

static qz_status type_of(const char *text, const char *option, uint32_t *out, qz_error *err) {
    const qz_gguf_type *t = qz_gguf_type_by_name(text);
    const qz_type id = t ? qz_type_by_ggml_id((int)t->id) : QZ_TYPE_NONE;
    if (t && id != QZ_TYPE_NONE && qz_type_get(id)->encode) return *out = t->id, QZ_OK;
    qz_near near = {.word = text, .limit = 3};
    const qz_gguf_type *g;
    for (uint32_t i = 0; (g = qz_gguf_type_get(i)) != NULL; i++)
        if (g->name) (void)qz_near_see(&near, g->name);
    return qz_fail(err, QZ_EUSAGE,
                   "%s type '%.40s' for --%s: expected a tensor type of 'quantz types' that can be written (f16, q8_0, "
                   "q6_K, q4_0 …)%s%s%s",
                   t ? "no encoder for" : "unknown", text, option, !t && near.best ? ", nearest is '" : "",
                   !t && near.best ? near.best : "", !t && near.best ? "'" : "");
}

static qz_status parse_rule(const char *text, qz_mix_rule *r, qz_arena *arena, qz_error *err) {
    const char *eq = strrchr(text, '=');
    bool yes;
    if (eq == NULL || eq == text || eq[1] == 0)
        return qz_fail(err, QZ_EUSAGE,
                       "bad value '%.200s' for --tensor-type: expected REGEX=TYPE, for example 'ffn_down=q6_K'", text);
    r->text = text;
    r->pattern = qz_arena_printf(arena, "(?s:.*?)(?:%.*s)", (int)(eq - text), text); /* found anywhere in the name */
    if (r->pattern == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    QZ_TRY(type_of(eq + 1, "tensor-type", &r->type, err));
    /* by itself first: the error then counts in the user's own pattern */
    const char *own = qz_arena_strndup(arena, text, (size_t)(eq - text));
    qz_error inner = {0};
    if (own == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    if (qz_module_match(own, "blk.0.attn_q.weight", "--tensor-type", &yes, &inner) != QZ_OK)
        return qz_fail(err, QZ_EUSAGE, "bad pattern in '%.200s': %s", text, inner.text);
    return qz_mix_rule_match(r, "blk.0.attn_q.weight", &yes, err);
}

qz_status qz_tensor_types_parse(qz_scheme_spec *spec, const qz_tensor_types *w, qz_arena *arena, qz_error *err) {
    const char *given = w->n              ? "tensor-type"
                        : w->output       ? "output-tensor-type"
                        : w->embedding    ? "token-embedding-type"
                        : w->leave_output ? "leave-output-tensor"
                        : w->pure         ? "pure"
                                          : NULL;
    uint32_t type = 0;
    if (given == NULL) return QZ_OK;
    if (spec->scheme != QZ_SCHEME_GGUF)
        return qz_fail(err, QZ_EUSAGE, "--%s is for GGUF, and '%s' is none", given, spec->name);
    qz_mix_rule *rules = qz_arena_calloc(arena, w->n + 1, sizeof *rules);
    if (rules == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    const qz_type d = qz_type_by_ggml_id((int)qz_ftype_get(spec->ftype)->type);
    if (w->n && d != QZ_TYPE_NONE && qz_type_get(d)->kind == QZ_KIND_FLOAT)
        return qz_fail(err, QZ_EUSAGE,
                       "--tensor-type has no effect under level %s, which stores floats: choose a level that codes",
                       spec->level);
    spec->mix.pure = w->pure;
    spec->mix.keep_output = w->leave_output;
    if (w->output) {
        QZ_TRY(type_of(w->output, "output-tensor-type", &type, err));
        spec->mix.output_type = (int)type;
    }
    if (w->embedding) {
        QZ_TRY(type_of(w->embedding, "token-embedding-type", &type, err));
        spec->mix.embedding_type = (int)type;
    }
    for (size_t i = 0; i < w->n; i++) QZ_TRY(parse_rule(w->rules[i], &rules[i], arena, err));
    spec->mix.rules = rules;
    spec->mix.n_rules = w->n;
    return QZ_OK;
}

qz_status qz_mix_rule_match(const qz_mix_rule *r, const char *name, bool *yes, qz_error *err) {
    qz_error inner = {0};
    if (qz_module_match(r->pattern, name, "--tensor-type", yes, &inner) == QZ_OK) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE, "--tensor-type '%.200s': %s", r->text, inner.text);
}

qz_status qz_mix_rules_check(const qz_mix_options *mix, const qz_mix_tensor *tensors, size_t n, qz_error *err) {
    for (size_t i = 0; i < mix->n_rules; i++) {
        bool yes = false;
        for (size_t k = 0; k < n && !yes; k++) QZ_TRY(qz_mix_rule_match(&mix->rules[i], tensors[k].name, &yes, err));
        if (!yes)
            return qz_fail(err, QZ_EUSAGE,
                           "--tensor-type '%.200s' matches no tensor: names are like '%.80s' ('--dry-run' lists them)",
                           mix->rules[i].text, n ? tensors[n / 2].name : "");
    }
    return QZ_OK;
}

/* Tensors that rule r matches: those whose type it gives, those that are kept whatever is asked, those that an
 * earlier rule or an option of their own has. */
typedef struct { size_t given, kept, taken; const char *first_kept; } effect;

static qz_status effect_of(const qz_mix_options *mix, size_t r, const qz_mix_tensor *t, const qz_mix_choice *ch,
                           effect *e, qz_error *err) {
    bool yes = false, earlier = false;
    QZ_TRY(qz_mix_rule_match(&mix->rules[r], t->name, &yes, err));
    for (size_t i = 0; i < r && yes && !earlier; i++)
        QZ_TRY(qz_mix_rule_match(&mix->rules[i], t->name, &earlier, err));
    if (!yes) return QZ_OK;
    const bool own = (t->use == QZ_USE_EMBED && mix->embedding_type >= 0) ||
                     (t->use == QZ_USE_HEAD && mix->output_type >= 0);
    if (!ch->quantizable) {
        if (e->kept++ == 0) e->first_kept = t->name;
    } else if (own || earlier) e->taken++;
    else e->given++;
    return QZ_OK;
}

qz_status qz_mix_rules_note(qz_artifact_plan *p, const qz_mix_tensor *tensors, const qz_mix_choice *choices, size_t n,
                            qz_arena *arena, qz_error *err) {
    const qz_mix_options *mix = &p->spec.mix;
    for (size_t r = 0; r < mix->n_rules; r++) {
        effect e = {0};
        for (size_t k = 0; k < n; k++) QZ_TRY(effect_of(mix, r, &tensors[k], &choices[k], &e, err));
        if (e.given == 0 && e.kept == 0)
            QZ_TRY(qz_plan_note(p, arena, err,
                                "--tensor-type '%.200s' had no effect: an earlier rule or an option of their own "
                                "gives the types of the %zu tensor%s that it matches",
                                mix->rules[r].text, e.taken, qz_plural(e.taken)));
        else if (e.given == 0) /* a pattern that means linears and matches their norms besides is no news */
            QZ_TRY(qz_plan_note(p, arena, err,
                                "--tensor-type '%.200s' had no effect on the %zu tensor%s that it matches (first "
                                "'%s'): norms, biases, routers and other vectors are never coded",
                                mix->rules[r].text, e.kept + e.taken, qz_plural(e.kept + e.taken), e.first_kept));
    }
    return QZ_OK;
}
