/* Names in a GGUF file: of a block from the sites of model/sites.h, the three others here. Source:
 * formats/gguf-metadata.md section 6. */
#include "artifacts/artifacts_int.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const top[][2] = { { "model.embed_tokens", "token_embd" }, { "model.norm", "output_norm" },
                                      { "lm_head", "output" } };

/* stem ".weight" or ".bias" -> length of the stem; 0 if neither. */
static size_t stem(const char *name, const char **suffix) {
    const char *dot = strrchr(name, '.');
    if (!dot || (strcmp(dot, ".weight") && strcmp(dot, ".bias"))) return 0;
    *suffix = dot + 1;
    return (size_t)(dot - name);
}
static bool same(const char *s, size_t n, const char *want) { return strlen(want) == n && memcmp(s, want, n) == 0; }

bool qz_gguf_name_of(const qz_model *m, const qz_slot *s, char *buf, size_t size) {
    if (s->site && s->site->site.kind == QZ_SITE_PART) /* with its suffix */
        return snprintf(buf, size, "blk.%ld.%s", s->layer, s->site->site.gguf) < (int)size;
    if (s->site)
        return snprintf(buf, size, "blk.%ld.%s.%s", s->layer, s->site->site.gguf, s->bias ? "bias" : "weight") <
               (int)size;
    for (int i = 0; i < QZ_TOKEN_SITES; i++) {
        qz_token_site t;
        if (m->token[i] != s->t || !qz_token_site_of(&m->config, i, &t)) continue;
        return snprintf(buf, size, "%s.weight", t.gguf) < (int)size;
    }
    const bool bias = s->t == m->final_bias || s->t == m->head_bias;
    const bool norm = s->t == m->final_bias || s->t == m->final_norm;
    const char *name = s->t == m->embed ? top[0][1] : norm ? top[1][1] : top[2][1];
    return snprintf(buf, size, "%s.%s", name, bias ? "bias" : "weight") < (int)size;
}

bool qz_gguf_name_to_hf(const qz_config *c, const char *gguf, size_t expert, size_t *experts, char *buf, size_t size) {
    const char *suffix = NULL;
    size_t n = stem(gguf, &suffix), layer = 0, d = 4;
    *experts = 0;
    for (size_t i = 0; n && i < sizeof top / sizeof *top; i++)
        if (same(gguf, n, top[i][1])) return snprintf(buf, size, "%s.%s", top[i][0], suffix) < (int)size;
    for (int i = 0; n && i < QZ_TOKEN_SITES; i++) {
        qz_token_site t;
        if (qz_token_site_of(c, i, &t) && same(gguf, n, t.gguf))
            return snprintf(buf, size, "%s.%s", t.hf, suffix) < (int)size;
    }
    if (strncmp(gguf, "blk.", 4) || !isdigit((unsigned char)gguf[4])) return false;
    while (isdigit((unsigned char)gguf[d]) && d < 8) layer = 10 * layer + (size_t)(gguf[d++] - '0');
    if (gguf[d] != '.') return false;
    qz_site sites[QZ_MAX_SITES];
    const size_t known = qz_sites(c, layer < c->layers ? layer : 0, sites); /* a layer too many is named all the same */
    for (size_t i = 0; i < known; i++)
        if (sites[i].kind == QZ_SITE_PART && strcmp(gguf + d + 1, sites[i].gguf) == 0)
            return qz_site_name(&sites[i], layer, expert, "", buf, size);
    if (n < d + 1) return false;
    for (size_t i = 0; i < known; i++) {
        if (sites[i].kind == QZ_SITE_PART) continue;
        if (!same(gguf + d + 1, n - d - 1, sites[i].gguf)) continue;
        *experts = sites[i].experts;
        return qz_site_name(&sites[i], layer, expert, suffix, buf, size);
    }
    qz_site s; /* parts of other blocks, so that what nothing uses has its usual name */
    for (size_t i = 0; qz_site_known(i, &s); i++) {
        const bool plain = s.kind == QZ_SITE_LINEAR || s.kind == QZ_SITE_NORM;
        if (plain && same(gguf + d + 1, n - d - 1, s.gguf)) return qz_site_name(&s, layer, 0, suffix, buf, size);
    }
    return false;
}
