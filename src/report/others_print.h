/* eval --others: the table of size against KL, who made each, and the same in JSON. */
#ifndef QZ_REPORT_OTHERS_PRINT_H
#define QZ_REPORT_OTHERS_PRINT_H
#include "report/measured.h"

/* m[0] is the source, the artifacts follow. */
qz_status qz_others_print(const qz_measured *m, size_t n, const qz_uploads *said, qz_str *out, qz_error *err);
/* Into an open object: what was found and what not compared. */
void qz_others_json(const qz_uploads *said, qz_json_writer *w);
/* Into a row's object: its maker, and whether it lies on the line of size and KL. */
void qz_maker_json(const qz_measured *x, qz_json_writer *w);
#endif
