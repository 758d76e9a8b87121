/* Calibration tokens as the passes over them take them: windows of equal length, one after the other. Borrowed. */
#ifndef QZ_CALIBRATE_TOKENS_H
#define QZ_CALIBRATE_TOKENS_H
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const uint32_t *ids; /* [windows, seq_len]; NULL: no tokens, only statistics of them */
    size_t windows, seq_len;
} qz_tokens;
#endif
