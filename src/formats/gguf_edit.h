/* Edits of GGUF metadata: what a user may set, in which type, and the entries with the edits in them.
 * qz_gguf_edits e = {0}; qz_gguf_edit_parse(&e, g, "general.name=Market", QZ_GGUF_SET, err) for each;
 * qz_gguf_edit_apply(&e, g, &meta, err); qz_gguf_edits_release(&e).
 * A key that is there keeps its type; a new one names it ("general.license:str=mit"), or its text comes from a file
 * ("tokenizer.chat_template=@chat.jinja"). Refused (QZ_EUSAGE): keys of gguf_fixed.def, arrays, values that the type
 * cannot hold, ids of tokens that are not there.
 * Source: formats/gguf-container.md; --override-kv: llama.cpp 0c1e57098, common.cpp string_parse_kv_override. */
#ifndef QZ_FORMATS_GGUF_EDIT_H
#define QZ_FORMATS_GGUF_EDIT_H
#include "formats/gguf.h"

/* SET: KEY[:TYPE]=VALUE; UNSET: KEY, which must be there; OVERRIDE: KEY=TYPE:VALUE as llama-quantize takes it: int (a
 * u32 of the magnitude), float (f32), bool, str (127 bytes at most), whatever type the key has now. */
typedef enum { QZ_GGUF_SET, QZ_GGUF_UNSET, QZ_GGUF_OVERRIDE } qz_gguf_edit_how;
typedef struct {
    const char *key;
    bool unset;
    qz_gguf_kv value;
    const char *text;    /* of the value, for people; what a file held is named by it */
} qz_gguf_edit;
typedef struct { qz_gguf_edit *v; size_t n; qz_arena arena; } qz_gguf_edits;

/* g: the file's keys; NULL with OVERRIDE. */
qz_status qz_gguf_edit_parse(qz_gguf_edits *e, const qz_gguf *g, const char *text, qz_gguf_edit_how how,
                             qz_error *err);
void qz_gguf_edits_release(qz_gguf_edits *e);
/* Appends the entries of g to meta, edited ones in their places, new ones behind; skip: a key that is left out (or
 * NULL). */
qz_status qz_gguf_edit_apply(const qz_gguf_edits *e, const qz_gguf *g, const char *skip, qz_gguf_meta *meta,
                             qz_error *err);
/* Why nobody may change the key, or NULL. */
const char *qz_gguf_fixed(const char *key);
/* A value in words: "\"mit\"", "10000", "5 x str"; text is cut. */
const char *qz_gguf_value_text(const qz_gguf_kv *kv, char buf[96]);
#endif
