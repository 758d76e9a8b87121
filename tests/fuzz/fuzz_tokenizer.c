/* Fuzz target of the tokenizers. Input beginning with '{': a tokenizer.json, then after a NUL a text for it. Anything
 * else is a text for two good tokenizers: what comes back must be UTF-8, and from the byte-level one
 * the text itself. */
#include <stdlib.h>
#include <string.h>
#include "base/io.h"
#include "text/tokenizer_int.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(const qz_tokenizer *t, const char *s, size_t n, bool lossless) {
    qz_ids ids = {0};
    qz_str back = {0}, stream = {0}, clean = {0};
    qz_decode_stream ds = {0};
    qz_error err = {0};
    if (qz_tokenizer_encode(t, s, n, QZ_ENCODE_PARSE_SPECIAL | QZ_ENCODE_SPECIAL, &ids, &err) == QZ_OK) {
        for (size_t i = 0; i < ids.n; i++)
            if (ids.ids[i] >= qz_tokenizer_vocab_size(t)) abort();
        size_t skip = lossless && ids.n && qz_tokenizer_adds_bos(t);
        if (qz_tokenizer_decode(t, skip ? ids.ids + skip : ids.ids, ids.n - skip, false, &back, &err) != QZ_OK &&
            !err.text[0])
            abort();
        if (back.ptr && !qz_utf8_valid(back.ptr, back.len)) abort();
        for (size_t i = 0; i < ids.n; i++)
            if (qz_tokenizer_decode_next(t, &ds, ids.ids[i], false, &stream, &err) != QZ_OK) abort();
        qz_tokenizer_decode_end(&ds, &stream);
        if (stream.ptr && !qz_utf8_valid(stream.ptr, stream.len)) abort();
        qz_utf8_lossy(s, n, &clean);
        if (lossless && (back.len != clean.len || (clean.len && memcmp(back.ptr, clean.ptr, clean.len) != 0))) abort();
    } else if (!err.text[0]) {
        abort();
    }
    qz_ids_release(&ids);
    qz_str_release(&back);
    qz_str_release(&stream);
    qz_str_release(&clean);
}

/* Loaded once: reading a vocabulary takes a hundred times as long as encoding a line. */
static void with_file(qz_tokenizer **t, const char *path, const char *s, size_t n, bool lossless) {
    qz_error err = {0};
    if (!*t && qz_tokenizer_load(path, t, &err) != QZ_OK) abort();
    encode(*t, s, n, lossless);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char text[] = "Hello  w\xc3\xb6rld\n\n 12345 don't <s>\xe2\x96\x81\xe2\x96\x81 \xf0\x9f\x98\x80 "
                               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const char *s = (const char *)data;
    if (size == 0 || *s != '{') {
        static qz_tokenizer *bytes, *pieces;
        with_file(&bytes, QZ_SOURCE_DIR "/tests/golden/text/llama3-bpe", s, size, true);
        with_file(&pieces, QZ_SOURCE_DIR "/tests/golden/text/llama2-spbpe", s, size, false);
        return 0;
    }
    const char *nul = memchr(s, 0, size);
    size_t n = nul ? (size_t)(nul - s) : size;
    qz_tokenizer *t = NULL;
    qz_error err = {0};
    if (qz_tok_load_text(s, n, "fuzz", &t, &err) != QZ_OK) {
        if (!err.text[0]) abort(); /* every refusal has words */
        return 0;
    }
    encode(t, nul ? nul + 1 : text, nul ? size - n - 1 : sizeof text - 1, false);
    qz_tokenizer_free(t);
    return 0;
}
