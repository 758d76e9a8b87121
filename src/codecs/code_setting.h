/* What a scheme, or a rule for one module, says of a matrix' codes before the matrix is known: the element, how scales
 * lie over it and what they are stored as. Methods make their grid of it (methods/code_grid.h).
 * qz_code_setting s = {.bits = 4, .group_size = 128, .sym = true};  integers with float16 scales are all zeros */
#ifndef QZ_CODECS_CODE_SETTING_H
#define QZ_CODECS_CODE_SETTING_H
#include "codecs/type_id.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { QZ_ELEMENT_INT, QZ_ELEMENT_E4M3, QZ_ELEMENT_E5M2, QZ_ELEMENT_E2M1, QZ_ELEMENT_E2M3 } qz_element;
/* As files store scales. E4M3: over a float32 number of the tensor (compressed-tensors' global scale), E4M3_TIMES:
 * times one (ModelOpt's). */
typedef enum {
    QZ_SCALE_F16, QZ_SCALE_BF16, QZ_SCALE_F32, QZ_SCALE_E8M0, QZ_SCALE_E4M3, QZ_SCALE_E4M3_TIMES
} qz_scale_type;

enum { QZ_WHOLE_ROW = 0 };   /* group_size: one group a row; the libraries' files and options write -1 */
#define QZ_ALL_ROWS UINT32_MAX /* block_rows: one scale for the matrix */
typedef struct {
    qz_element element;
    qz_scale_type scale;
    qz_type values;           /* floats that the library which reads the file decodes to */
    uint32_t bits, group_size;
    uint32_t block_rows;      /* rows that share a scale, 0: one */
    bool sym;
    bool rounded;             /* integers: values are rounded to the scales' type, scales lie above 0 */
    bool act_order, static_groups; /* groups along the falling diagonal of the Gram matrix
                                    * (g_idx); groups in file order all the same */
    bool keep;                /* no codes: the tensor stays as it is */
    uint8_t least_zero;       /* of zero points: 1 where the file cannot say 0 */
    const struct qz_input_rounding *inputs; /* what servers do to the inputs of the matrix; NULL: they stay float */
    const void *rule;         /* that decided, of whoever has rules; NULL: none */
} qz_code_setting;

/* Columns that share a scale in rows of `cols`: the one place where "the whole row" becomes a number. */
static inline size_t qz_group_columns(uint32_t group_size, size_t cols) {
    return group_size == QZ_WHOLE_ROW ? cols : group_size;
}
/* The two edges: as files and options write it, and as they are read. */
static inline long qz_group_written(uint32_t group_size) { return group_size == QZ_WHOLE_ROW ? -1 : (long)group_size; }
static inline uint32_t qz_group_read(long written) { return written < 0 ? (uint32_t)QZ_WHOLE_ROW : (uint32_t)written; }
#endif
