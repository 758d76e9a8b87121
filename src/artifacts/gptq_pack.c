/* GPTQ words (gptq_int.h). Codes lie along the rows of the file (input), zero points along its columns: both are one
 * plain little-endian bit stream, so 3 bits need no case of their own. */
#include "artifacts/gptq_int.h"
#include "base/bytes.h"
#include <string.h>

bool qz_gptq_bits_known(long bits) { return bits == 2 || bits == 3 || bits == 4 || bits == 8; }
bool qz_gptq_group_known(long group) {
    static const int groups[] = { -1, 16, 32, 64, 128, 256, 512, 1024 };
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (group == groups[i]) return true;
    return false;
}

void qz_gptq_pack_stream(const uint8_t *codes, size_t n, uint32_t bits, size_t stride, uint32_t *out) {
    size_t word = 0;
    uint32_t shift = 0;
    for (size_t i = 0; i < n; i++) {
        out[word * stride] |= (uint32_t)codes[i] << shift;
        shift += bits;
        if (shift < 32) continue;
        shift -= 32;
        word++;
        /* the code's high bits begin the next word */
        if (shift) out[word * stride] |= (uint32_t)codes[i] >> (bits - shift);
    }
}

static void unpack_plain(const uint8_t *words, size_t n, uint32_t bits, size_t stride, uint8_t *codes) {
    uint32_t mask = (1u << bits) - 1u, have = 0;
    uint64_t acc = 0;
    for (size_t i = 0; i < n; i++) {
        if (have < bits) {
            acc |= (uint64_t)qz_load_u32le(words) << have;
            words += 4 * stride;
            have += 32;
        }
        codes[i] = (uint8_t)(acc & mask);
        acc >>= bits;
        have -= bits;
    }
}

typedef struct { uint8_t width, offset; } plane;
static const plane planes[8][3] = { [3] = { { 2, 0 }, { 1, 2 } }, [5] = { { 4, 0 }, { 1, 4 } }, [6] = { { 4, 0 },
                                            { 2, 4 } },
                                    [7] = { { 4, 0 }, { 2, 4 }, { 1, 6 } } };

static void unpack_planar(const uint8_t *words, size_t n, uint32_t bits, size_t stride, uint8_t *codes) {
    for (size_t at = 0; at < n; at += 32) {
        memset(codes + at, 0, 32);
        for (const plane *p = planes[bits]; p < planes[bits] + 3 && p->width; p++)
            for (uint32_t w = 0; w < p->width; w++, words += 4 * stride) {
                uint32_t v = qz_load_u32le(words), per = 32u / p->width, mask = (1u << p->width) - 1u;
                for (uint32_t j = 0; j < per; j++)
                    codes[at + w * per + j] |= (uint8_t)((v >> (p->width * j) & mask) << p->offset);
            }
    }
}

void qz_gptq_unpack_stream(const uint8_t *words, size_t n, uint32_t bits, size_t stride, bool planar, uint8_t *codes) {
    if (planar && planes[bits][0].width) unpack_planar(words, n, bits, stride, codes);
    else unpack_plain(words, n, bits, stride, codes);
}

void qz_gptq_unpack_zeros(const uint8_t *words, size_t n, uint32_t bits, bool planar, qz_gptq_zeros kind,
                          uint8_t *zeros, size_t *suspicious) {
    uint32_t top = (1u << bits) - 1u;
    if (kind == QZ_GPTQ_V1_WORDS) { /* adding the constant gives back the carries that subtracting it borrowed */
        uint32_t one = UINT32_MAX / top;
        size_t per = 32 / bits;
        for (size_t i = 0; i < n; i++)
            zeros[i] = (uint8_t)((qz_load_u32le(words + i / per * 4) + one) >> (i % per * bits) & top);
        return;
    }
    qz_gptq_unpack_stream(words, n, bits, 1, planar, zeros);
    if (kind == QZ_GPTQ_V2) return;
    for (size_t i = 0; i < n; i++) {
        *suspicious += zeros[i] == top;
        zeros[i] = (uint8_t)((zeros[i] + 1u) & top);
    }
}
