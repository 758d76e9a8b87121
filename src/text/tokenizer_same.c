/* Two tokenizers side by side: what differs first between them (C-102: figures over unlike tokens are never
 * compared). */
#include <string.h>
#include "base/size.h"
#include "text/tokenizer_int.h"

static bool same_merges(const qz_merges *a, const qz_merges *b) {
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->n_slots; i++) {
        const uint64_t key = a->slots[i].key;
        if (key == UINT64_MAX) continue;
        const qz_merge *other = qz_merges_get(b, (uint32_t)(key >> 32), (uint32_t)key);
        if (other == NULL || other->rank != a->slots[i].rank) return false;
    }
    return true;
}
static bool same_scores(const qz_unigram *a, const qz_unigram *b) {
    if (a->on != b->on || a->n != b->n) return false;
    for (size_t i = 0; i < qz_min_size(a->n_score, b->n_score); i++)
        if ((float)a->score[i] != (float)b->score[i] && a->score[i] == a->score[i]) return false; /* GGUF has float32 */
    return true;
}
static bool same_steps(const qz_tokenizer *a, const qz_tokenizer *b) {
    if (a->n_norm != b->n_norm) return false;
    for (size_t i = 0; i < a->n_norm; i++)
        if (a->norm[i].kind != b->norm[i].kind) return false;
    return true;
}

bool qz_tokenizer_other_token(const qz_tokenizer *a, const qz_tokenizer *b, uint32_t *id) {
    for (size_t i = 0; i < qz_min_size(a->vocab.n, b->vocab.n); i++) {
        const char *x = a->vocab.text[i], *y = b->vocab.text[i];
        if (x && y && (a->vocab.len[i] != b->vocab.len[i] || memcmp(x, y, a->vocab.len[i]) != 0))
            return *id = (uint32_t)i, true;
    }
    return false;
}

const char *qz_tokenizer_other_part(const qz_tokenizer *a, const qz_tokenizer *b) {
    if (!same_merges(&a->merges, &b->merges)) return "merges";
    if (!same_scores(&a->unigram, &b->unigram)) return "scores";
    if (!same_steps(a, b)) return "normalizer";
    if (a->n_pre != b->n_pre) return "pre-tokenizer";
    if (a->n_before != b->n_before || a->n_after != b->n_after) return "tokens put before and behind a text";
    return "added tokens or pre-tokenizer";
}
