/* `explain`: a topic fills text and tables, printed as text or JSON. Topics are rows of
 * topics.def; worked examples call the codecs, methods and plan functions that the real work calls. */
#ifndef QZ_EXPLAIN_EXPLAIN_H
#define QZ_EXPLAIN_EXPLAIN_H
#include "base/arena.h"
#include "base/str.h"
#include "base/table.h"
#include "base/run.h"

/* What was asked; strings are borrowed, NULL: not asked. */
typedef struct {
    bool json;
    char **operands; size_t n_operands;                     /* none: the list of topics */
    const char *tensor, *elem, *against;                    /* glass box */
    const char *model;                                      /* granularity, levels: the table of this one */
    const char *values, *acts; double w, scale;             /* worked examples */
    const char *hardware, *hardware_file, *memory, *cc, *contexts, *users, *kv, *engine; uint64_t tp; /* launch */
} qz_explain_options;

enum { QZ_EXPLAIN_TABLES = 12 };
typedef struct {
    qz_run *run;
    qz_explain_options o;
    const char *topic;
    size_t refused, launched;   /* launch: reasons against engines, engines with a line; refusal: code of the first */
    const char *refusal;
    qz_str unread;              /* pairs of --json: keys of the opened configuration that nothing reads */
    qz_arena arena;
    qz_str text;
    qz_table tables[QZ_EXPLAIN_TABLES]; size_t n;
    qz_error *err;
} qz_explained;

/* Fills text and tables of what the operands ask for; the caller releases arena and text, and prints. */
qz_status qz_explain(qz_explained *x);
/* As text or as JSON. */
void qz_explain_print(const qz_explained *x, qz_str *out);

/* ---- own_model.c: the topic's table on o.model ---- */
qz_status qz_explain_own_granularity(qz_explained *x);
qz_status qz_explain_own_levels(qz_explained *x);

/* ---- topics ---- */
typedef qz_status (*qz_explain_fn)(qz_explained *x);
#define QZ_TOPIC(name, fn, help) qz_status fn(qz_explained *x);
#include "explain/topics.def"
#undef QZ_TOPIC

/* A line before the tables as it is: commands and bytes. */
void qz_explain_line(qz_explained *x, const char *fmt, ...) QZ_PRINTF(2, 3);
/* A line of text before the tables, wrapped. */
void qz_explain_say(qz_explained *x, const char *fmt, ...) QZ_PRINTF(2, 3);
/* Starts a table; titles "Weight<|Code>|…": the sign behind a title is its alignment. */
qz_status qz_explain_table(qz_explained *x, const char *caption, const char *titles);
/* A row of the last table, cells separated by '|'. */
qz_status qz_explain_row(qz_explained *x, const char *fmt, ...) QZ_PRINTF(2, 3);
/* Comma list of finite numbers. */
qz_status qz_explain_numbers(qz_explained *x, const char *text, const char *option, double **out, size_t *n);

/* A glossary word; *found = false if it is none. */
qz_status qz_explain_word(qz_explained *x, const char *word, bool *found);
/* A code of an error, a finding, a rule or a correction; false: none is called so. */
bool qz_explain_code(qz_explained *x, const char *word);
/* Shows every code to a search for the nearest name. */
void qz_explain_code_names(qz_near *near);
/* Nearest topic, word or code for an error text. */
const char *qz_explain_nearest(const char *word);
/* One element of one tensor of an artifact (--tensor, --elem). */
qz_status qz_explain_element(qz_explained *x, const char *path);
/* Load lines of an artifact. */
qz_status qz_explain_launch(qz_explained *x, const char *path);
#endif
