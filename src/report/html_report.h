/* report.html: one file without network or script libraries, made of report.json alone, so that both agree. Plots are
 * SVG; sorting is a few lines of script, and nothing needs it. */
#ifndef QZ_REPORT_HTML_REPORT_H
#define QZ_REPORT_HTML_REPORT_H
#include "base/str.h"
#include <jansson.h>

#define QZ_HTML_HEAD "<!doctype html>\n<!-- quantz release report -->\n" /* how the file is known again */
/* root: report.json of release. Fields that are not there leave their section out. */
void qz_html_report(const json_t *root, qz_str *out);

/* ---- its pictures (html_plots.c) ---- */
typedef struct {
    const json_t *root, *rows;  /* rows[0] is the source */
    qz_str *out;
} qz_html_page;
double qz_html_number(const json_t *row, const char *key); /* NaN: not there */
const char *qz_html_name(const json_t *row);               /* the end of the artifact's path */
void qz_html_size_plot(const qz_html_page *h);
void qz_html_position_plot(const qz_html_page *h);
void qz_html_histogram(const qz_html_page *h);
void qz_html_layers_plot(const qz_html_page *h);
void qz_html_tasks_plot(const qz_html_page *h);
void qz_html_memory_plot(const qz_html_page *h);
void qz_html_speed_plot(const qz_html_page *h);
#endif
