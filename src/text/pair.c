/* Prompt and continuation as ids: lm_eval 0.4.13, api/model.py TemplateLM.loglikelihood and _encode_pair,
 * models/huggingface.py tok_encode. */
#include "text/tasks.h"
#include "base/utf8.h"
#include <string.h>

/* What Python's rstrip takes away. */
static size_t stripped(const char *s) {
    size_t n = strlen(s);
    while (n) {
        size_t at = n - 1;
        uint32_t cp;
        while (at && ((unsigned char)s[at] & 0xC0) == 0x80) at--;
        if (qz_utf8_step(s + at, n - at, &cp) != n - at) break;
        if (!qz_utf8_is_space(cp) && !(cp >= 0x1C && cp <= 0x1F)) break;
        n = at;
    }
    return n;
}

/* Specials are added as the tokenizer does, but to a text that begins with BOS. */
static unsigned flags_of(const qz_tokenizer *t, const qz_pair *p, const char *text) {
    const char *bos = qz_tokenizer_special(t, "bos_token");
    const bool has = bos && *bos && strncmp(text, bos, strlen(bos)) == 0;
    return QZ_ENCODE_PARSE_SPECIAL | (p->templated || has ? 0u : (unsigned)QZ_ENCODE_SPECIAL);
}

static qz_status without_prompt(const qz_tokenizer *t, const qz_pair *p, qz_ids *out, qz_error *err) {
    const int64_t first = qz_tokenizer_bos(t) >= 0 ? qz_tokenizer_bos(t) : qz_tokenizer_eos(t);
    if (first < 0)
        return qz_fail(err, QZ_EUSAGE, "a continuation without a prompt needs a BOS or EOS token; the model has none");
    QZ_TRY(qz_ids_push(out, (uint32_t)first, err));
    QZ_TRY(qz_tokenizer_encode(t, p->continuation, strlen(p->continuation), QZ_ENCODE_PARSE_SPECIAL, out, err));
    if (out->n > 1 && out->ids[1] == (uint32_t)first) { /* it begins with that token itself */
        memmove(out->ids, out->ids + 1, (out->n - 1) * sizeof *out->ids);
        out->n--;
    }
    return QZ_OK;
}

qz_status qz_pair_encode(const qz_tokenizer *t, const qz_pair *p, qz_ids *out, size_t *from, qz_error *err) {
    *from = 1;
    if (*p->prompt == 0) QZ_TRY(without_prompt(t, p, out, err));
    else {
        const size_t n = stripped(p->prompt);
        qz_ids alone = {0};
        qz_str whole = {0};
        qz_str_printf(&whole, "%s%s", p->prompt, p->continuation);
        qz_status st = whole.failed ? qz_fail(err, QZ_EMEMORY, "out of memory encoding a task") : QZ_OK;
        const unsigned flags = st == QZ_OK ? flags_of(t, p, whole.ptr) : 0;
        if (st == QZ_OK) st = qz_tokenizer_encode(t, whole.ptr, whole.len, flags, out, err);
        if (st == QZ_OK) st = qz_tokenizer_encode(t, whole.ptr, n, flags, &alone, err);
        *from = alone.n;
        qz_ids_release(&alone);
        qz_str_release(&whole);
        QZ_TRY(st);
    }
    if (*from == 0 || *from >= out->n)
        return qz_fail(err, QZ_EUSAGE, "a continuation of no tokens: prompt of %zu, '%.40s'", *from, p->continuation);
    return QZ_OK;
}
