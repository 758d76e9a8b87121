/* Inside of formats/: what the files of the GGUF reader share. */
#ifndef QZ_FORMATS_GGUF_INT_H
#define QZ_FORMATS_GGUF_INT_H
#include "formats/gguf.h"

/* Sorts the names of g->tensors; QZ_EFORMAT for a name that stands twice. */
qz_status qz_gguf_index(qz_gguf *g, qz_error *err);
/* Reads the header of g->map. */
qz_status qz_gguf_parse(qz_gguf *g, qz_error *err);
#endif
