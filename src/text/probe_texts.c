/* The texts of tokenizer_proof.c: text i of a kind depends on seed, kind and i alone. */
#include "text/probe_texts.h"
#include <string.h>
#include "base/rng.h"
#include "base/size.h"
#include "base/utf8.h"

#define PER_TEXT 32u
#define POINTS 0x110000u
#define LONGEST 1024u /* bytes of a text */
#define LEN(a) (sizeof(a) / sizeof *(a))

typedef struct { const qz_probe_maker *m; qz_rng rng; size_t i; qz_str *out; } pen;

static size_t below(pen *p, size_t n) { return (size_t)qz_rng_below(&p->rng, n); }
static bool is_point(uint32_t cp) { return cp < POINTS && (cp < 0xd800 || cp > 0xdfff); }

static void code_points(pen *p) {
    for (uint32_t k = 0; k < PER_TEXT; k++)
        if (is_point((uint32_t)p->i * PER_TEXT + k)) qz_utf8_append(p->out, (uint32_t)p->i * PER_TEXT + k);
}

/* Before and behind letters, digits, blanks, line ends, signs. */
static void in_context(pen *p) {
    static const char *const around[] = {"a", "B", "1", " ", "\n", ".", "'s", "  ", "\xc3\xa9", "\xe6\x97\xa5",
                                         "\t", "-"};
    for (uint32_t k = 0; k < PER_TEXT; k++) {
        if (!is_point((uint32_t)p->i * PER_TEXT + k)) continue;
        qz_utf8_append(p->out, (uint32_t)p->i * PER_TEXT + k);
        qz_str_puts(p->out, around[below(p, LEN(around))]);
    }
}

static void token(pen *p, uint32_t id) {
    size_t n = 0;
    const char *s = qz_tokenizer_token(p->m->t, id, &n);
    if (s) qz_str_append(p->out, s, n);
}

/* Each token in four places. */
static void specials(pen *p) {
    const uint32_t id = p->m->added[p->i / 4];
    static const char *const before[] = {"", "x", " ", "\n1 "}, *const behind[] = {"", "y", "  z", " \n"};
    qz_str_puts(p->out, before[p->i % 4]);
    token(p, id);
    if (p->i % 4 == 1) token(p, p->m->added[below(p, p->m->n_added)]);
    qz_str_puts(p->out, behind[p->i % 4]);
}

static void digits(pen *p) {
    static const uint32_t zeros[] = {'0', '0', '0', 0x660, 0x966, 0xff10, 0x1d7ce};
    static const char *const between[] = {"", " ", ",", ".", "-", "  ", "a", " x", "\n", "/", "\xc2\xbd",
                                          "\xe2\x85\xab"};
    for (size_t runs = 1 + below(p, 4); runs > 0; runs--) {
        const uint32_t zero = zeros[below(p, LEN(zeros))];
        for (size_t n = 1 + below(p, below(p, 8) ? 7 : 40); n > 0; n--)
            qz_utf8_append(p->out, zero + (uint32_t)below(p, 10));
        qz_str_puts(p->out, between[below(p, LEN(between))]);
    }
}

/* Blocks of letters, marks, signs and blanks; a text takes a few of them. */
static void scripts(pen *p) {
    static const struct { uint32_t from, n; } blocks[] = {
        {'a', 26}, {'A', 26}, {'a', 26}, {' ', 1}, {' ', 1}, {'\t', 5}, {'!', 15}, {':', 7}, {'[', 6}, {'{', 4},
        {0xa0, 32}, {0xc0, 64}, {0x100, 128}, {0x1c4, 9}, {0x2b0, 80}, {0x300, 112}, {0x370, 144}, {0x400, 256},
        {0x531, 90}, {0x590, 112}, {0x600, 256}, {0x900, 128}, {0xe00, 128}, {0x10a0, 96}, {0x1100, 256}, {0x1780, 100},
        {0x1e00, 256}, {0x1f00, 256}, {0x2000, 112}, {0x2070, 48}, {0x20d0, 33}, {0x2100, 80}, {0x2150, 60},
        {0x2190, 112}, {0x2460, 160}, {0x2581, 1}, {0x3000, 64}, {0x3040, 192}, {0x4e00, 2000}, {0xac00, 2000},
        {0xfb00, 80}, {0xfe00, 16}, {0xff00, 240}, {0x10400, 80}, {0x1d400, 200}, {0x1f1e6, 26}, {0x1f300, 300},
        {0x1f900, 256}, {0x20000, 500}, {'\'', 1}, {'\n', 1}, {0x200b, 5}, {0x85, 1}, {0x17f, 1}};
    size_t mine[4];
    for (size_t k = 0; k < LEN(mine); k++) mine[k] = below(p, LEN(blocks));
    for (size_t n = 1 + below(p, 24); n > 0; n--) {
        const size_t b = mine[below(p, LEN(mine))];
        qz_utf8_append(p->out, blocks[b].from + (uint32_t)below(p, blocks[b].n));
    }
}

static void pieces(pen *p) {
    qz_error ignored = {0};
    const size_t all = qz_tokenizer_vocab_size(p->m->t);
    for (size_t n = 1 + below(p, 8); all && n > 0; n--) {
        const uint32_t id = (uint32_t)below(p, all);
        if (qz_tokenizer_decode(p->m->t, &id, 1, false, p->out, &ignored) != QZ_OK) p->out->failed = true;
    }
}

static void bytes(pen *p) {
    for (size_t n = 1 + below(p, 24); n > 0; n--) qz_str_putc(p->out, (char)below(p, 256));
}

static const struct { const char *name; size_t texts; void (*write)(pen *p); } kinds[QZ_PROOF_KINDS] = {
    {"code points", POINTS / PER_TEXT, code_points}, {"code points beside others", POINTS / PER_TEXT, in_context},
    {"special tokens", 0, specials}, {"digits", 4000, digits}, {"mixed scripts", 16000, scripts},
    {"pieces of the vocabulary", 8000, pieces}, {"random bytes", 8000, bytes}};

const char *qz_probe_kind(size_t kind) { return kinds[kind].name; }
size_t qz_probe_texts(const qz_probe_maker *m, size_t kind) {
    return kinds[kind].texts ? kinds[kind].texts : 4 * m->n_added;
}

void qz_probe_text(const qz_probe_maker *m, size_t kind, size_t i, qz_str *out) {
    pen p = {.m = m, .i = i, .out = out};
    qz_rng_seed(&p.rng, m->seed ^ (uint64_t)(kind + 1) << 40 ^ (uint64_t)i << 8);
    qz_str raw = {0};
    p.out = &raw;
    kinds[kind].write(&p);
    qz_str_clear(out);
    qz_utf8_lossy(raw.ptr ? raw.ptr : "", qz_min_size(raw.len, LONGEST), out); /* pieces may be of any length */
    out->failed |= raw.failed;
    qz_str_release(&raw);
}
