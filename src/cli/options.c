#include "cli/options.h"
#include "base/size.h"
#include "base/str.h"
#include "cli/config_file.h"
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <string.h>

#define AT(field) offsetof(qz_request, field)
const qz_option qz_common_options[] = {
    {"threads", 't', QZ_OPT_COUNT, AT(threads), "N", "0", 0, 1024, "threads (0 = all CPUs this process may use)"},
    {"cpu", 0, QZ_OPT_TEXT, AT(cpu), "LEVEL", NULL, 0, 0,
     "kernels: ref, avx2 or avx512 (default: the best this CPU has)"},
    {"json", 0, QZ_OPT_FLAG, AT(json), NULL, NULL, 0, 0, "results as JSON on stdout"},
    {"progress-json", 0, QZ_OPT_FLAG, AT(progress_json), NULL, NULL, 0, 0,
     "progress as lines of JSON on stderr, one a second"},
    {"quiet", 'q', QZ_OPT_FLAG, AT(quiet), NULL, NULL, 0, 0, "no progress and no notes on stderr"},
    {"help", 'h', QZ_OPT_FLAG, 0, NULL, NULL, 0, 0, "this text"},
};
const size_t qz_common_count = sizeof qz_common_options / sizeof qz_common_options[0];

static const qz_option *option_at(const qz_verb *v, size_t i) {
    return i < v->n_options                     ? &v->options[i]
           : i - v->n_options < qz_common_count ? &qz_common_options[i - v->n_options]
                                                : NULL;
}

static qz_status set_number(const qz_verb *v, const qz_option *o, const char *text, qz_request *r, qz_error *err) {
    char *end;
    if (o->kind == QZ_OPT_COUNT && o->fallback && strcmp(o->fallback, "auto") == 0 && strcmp(text, "auto") == 0) {
        *(uint64_t *)(void *)((char *)r + o->offset) = QZ_COUNT_AUTO;
        return QZ_OK;
    }
    errno = 0;
    double x = strtod(text, &end);
    bool whole = o->kind != QZ_OPT_COUNT || x == floor(x);
    if (end == text || *end || errno || !isfinite(x) || !whole || x < o->min || x > o->max)
        return qz_fail(err, QZ_EUSAGE,
                       "bad value '%s' for --%s: expected %s from %.15g to %.15g; see 'quantz %s --help'", text,
                       o->name, o->kind == QZ_OPT_COUNT ? "a whole number" : "a number", o->min, o->max, v->name);
    char *field = (char *)r + o->offset;
    if (o->kind == QZ_OPT_COUNT) *(uint64_t *)(void *)field = (uint64_t)x;
    else *(double *)(void *)field = x;
    return QZ_OK;
}
static qz_text_list *list_of(qz_request *r, const qz_option *o) {
    return (qz_text_list *)(void *)((char *)r + o->offset);
}

qz_status qz_option_set(const qz_verb *v, const qz_option *o, const char *text, qz_request *r, qz_error *err) {
    char *field = (char *)r + o->offset;
    if (o->kind == QZ_OPT_FLAG) *(bool *)(void *)field = true;
    else if (o->kind == QZ_OPT_TEXT) *(const char **)(void *)field = text;
    else if (o->kind == QZ_OPT_LIST) {
        qz_text_list *list = list_of(r, o);
        if (list->n == sizeof list->at / sizeof list->at[0])
            return qz_fail(err, QZ_EUSAGE, "too many --%s: at most %zu", o->name, list->n);
        list->at[list->n++] = text;
    } else return set_number(v, o, text, r, err);
    return QZ_OK;
}

/* Names are one, however their words are joined. */
static bool same_name(const char *a, const char *b) {
    for (; *a && (*a == '_' ? '-' : *a) == (*b == '_' ? '-' : *b); a++, b++) {}
    return *a == 0 && *b == 0;
}

const qz_option *qz_option_find(const qz_verb *v, const char *name) {
    const qz_option *o;
    for (size_t i = 0; (o = option_at(v, i)) != NULL; i++)
        if (same_name(o->name, name)) return o;
    return NULL;
}

static bool writes(const qz_verb *v) { return qz_option_find(v, "to") != NULL; }

const char *qz_option_nearest(const qz_verb *v, const char *name) {
    const char *key;
    qz_near near = {.word = name, .limit = 2 + strlen(name) / 3};
    for (size_t i = 0; option_at(v, i); i++) (void)qz_near_see(&near, option_at(v, i)->name);
    for (size_t i = 0; writes(v) && (key = qz_library_key(i)) != NULL; i++) (void)qz_near_see(&near, key);
    return near.best;
}

/* " ('quantz calibrate' has it)", nothing if no verb does. */
static void other_verbs(const qz_verb *v, const char *bare, char *out, size_t size) {
    size_t n = 0;
    *out = 0;
    for (size_t i = 0; qz_verb_at(i) && n < size; i++)
        if (qz_verb_at(i) != v && qz_option_find(qz_verb_at(i), bare))
            n += (size_t)snprintf(out + n, size - n, "%s'quantz %s'", n ? ", " : " (it is one of ",
                                  qz_verb_at(i)->name);
    if (n && n < size) (void)snprintf(out + n, size - n, ")");
}

static qz_status unknown_option(const qz_verb *v, const char *arg, qz_error *err) {
    const char *name = arg + strspn(arg, "-");
    char bare[64];
    size_t n = strcspn(name, "=");
    (void)snprintf(bare, sizeof bare, "%.*s", (int)(n < 63 ? n : 63), name);
    const char *best = qz_option_nearest(v, bare);
    char others[200];
    other_verbs(v, bare, others, sizeof others);
    return qz_fail(err, QZ_EUSAGE, "unknown option '%s' of quantz %s: %s%s%s%s; see 'quantz %s --help'", arg, v->name,
                   best ? "nearest known is '--" : "none is like it", best ? best : "", best ? "'" : "", others,
                   v->name);
}

/* ---- the command line ---- */
enum { ROW = 1000, LIBRARY = 5000 }; /* what getopt gives back for a long name: its row, or its library key */
typedef struct {
    const qz_verb *v;
    struct option *longs;
    qz_str letters;
    qz_scheme_parts parts;    /* of the command line */
    bool to;                  /* it names the scheme */
    qz_request *r;
    bool *help;
} parser;

/* Every row, a row of several words also with '_', and the libraries' keys. */
static qz_status name_options(parser *p, qz_arena *keep, qz_error *err) {
    const qz_verb *v = p->v;
    size_t n = 0, most = 2 * (v->n_options + qz_common_count) + 1, at = 0;
    while (qz_library_key(n)) n++;
    p->longs = qz_arena_calloc(keep, most + n, sizeof *p->longs);
    qz_str_puts(&p->letters, ":");
    for (size_t i = 0; option_at(v, i) && p->longs; i++) {
        const qz_option *o = option_at(v, i);
        char *other = qz_arena_strdup(keep, o->name);
        const int value = o->kind == QZ_OPT_FLAG ? no_argument : required_argument;
        p->longs[at++] = (struct option){.name = o->name, .has_arg = value, .val = (int)(ROW + i)};
        for (char *c = other; c && *c; c++) *c = *c == '-' ? '_' : *c;
        if (other && strcmp(other, o->name) != 0)
            p->longs[at++] = (struct option){.name = other, .has_arg = value, .val = (int)(ROW + i)};
        if (o->letter) qz_str_printf(&p->letters, "%c%s", o->letter, o->kind == QZ_OPT_FLAG ? "" : ":");
    }
    for (size_t i = 0; writes(v) && i < n && p->longs; i++)
        if (qz_option_find(v, qz_library_key(i)) == NULL)
            p->longs[at++] = (struct option){.name = qz_library_key(i), .has_arg = required_argument,
                                             .val = (int)(LIBRARY + i)};
    return p->longs && !p->letters.failed ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
}

/* A word of another program is answered with what it is here; getopt would read "-ngl 9" as "-n gl". */
static qz_status foreign_words(const qz_verb *v, int argc, char **argv, qz_error *err) {
    static const struct { const char *word, *whose, *instead; } rows[] = {
#define QZ_FOREIGN(word, whose, instead) {word, whose, instead},
#include "cli/foreign.def"
    };
    for (int k = 1; k < argc && strcmp(argv[k], "--") != 0; k++)
        for (size_t i = 0; argv[k][0] == '-' && i < sizeof rows / sizeof *rows; i++) {
            const char *w = rows[i].word;
            const size_t n = strlen(w);
            bool own = w[1] == '-' && qz_option_find(v, w + 2) != NULL;
            for (size_t o = 0; n == 2 && option_at(v, o); o++) own |= option_at(v, o)->letter == w[1];
            if (!own && strncmp(argv[k], w, n) == 0 && (argv[k][n] == 0 || argv[k][n] == '='))
                return qz_fail(err, QZ_EUSAGE, "'%s' is an option of %s: %s", w, rows[i].whose, rows[i].instead);
        }
    return QZ_OK;
}

static qz_status take_word(parser *p, int c, char **argv, qz_error *err) {
    const qz_verb *v = p->v;
    const qz_option *o = c >= ROW && c < LIBRARY ? option_at(v, (size_t)(c - ROW)) : NULL;
    char where[80];
    for (size_t i = 0; option_at(v, i) && !o && c < ROW; i++)
        if (option_at(v, i)->letter && c == option_at(v, i)->letter) o = option_at(v, i);
    if (c == ':')
        return qz_fail(err, QZ_EUSAGE, "option '%s' needs a value; see 'quantz %s --help'", argv[optind - 1], v->name);
    if (c >= LIBRARY) {
        const size_t i = (size_t)(c - LIBRARY);
        const char *word = strchr(argv[optind - 1], '=') == optarg - 1 ? argv[optind - 1] : argv[optind - 2];
        const size_t n = strlen(qz_library_key(i)) + 2; /* getopt would take beginnings of names, too */
        if (strncmp(word + 2, qz_library_key(i), n - 2) != 0 || (word[n] && word[n] != '='))
            return unknown_option(v, word, err);
        (void)snprintf(where, sizeof where, "option '--%s'", qz_library_key(i));
        return qz_library_key_set(v, i, optarg, where, &p->parts, p->r, err);
    }
    if (o == NULL) { /* getopt moves operands about: only optopt or the word before optind is the culprit */
        const char letter[] = {'-', (char)optopt, 0};
        return unknown_option(v, optopt > 0 && optopt < 128 ? letter : argv[optind - 1], err);
    }
    if (strcmp(o->name, "help") == 0) return *p->help = true, QZ_OK;
    p->to = p->to || strcmp(o->name, "to") == 0;
    return qz_option_set(v, o, optarg, p->r, err);
}

/* Every option once; `only`: this one alone (the file of settings comes before what overrides it). */
static qz_status walk(parser *p, const char *only, int argc, char **argv, qz_error *err) {
    optind = 0; /* glibc: from the beginning again */
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, p->letters.ptr, p->longs, NULL)) != -1;) {
        const qz_option *o = c >= ROW && c < LIBRARY ? option_at(p->v, (size_t)(c - ROW)) : NULL;
        if (only && !(o && strcmp(o->name, only) == 0)) continue;
        if (only && p->r->config)
            return qz_fail(err, QZ_EUSAGE, "--config is given twice: '%s' and '%s'", p->r->config, optarg);
        QZ_TRY(take_word(p, c, argv, err));
    }
    return QZ_OK;
}

qz_status qz_options_parse(const qz_verb *v, int argc, char **argv, qz_arena *keep, qz_request *r, bool *help,
                           qz_error *err) {
    parser p = {.v = v, .r = r, .help = help};
    *r = (qz_request){.verb = v->name, .reserve = -1};
    *help = false;
    qz_scheme_parts file;
    qz_scheme_parts_init(&p.parts);
    qz_scheme_parts_init(&file);
    qz_status st = foreign_words(v, argc, argv, err);
    if (st == QZ_OK) st = name_options(&p, keep, err);
    for (size_t i = 0; option_at(v, i) && st == QZ_OK; i++)
        if (option_at(v, i)->fallback) st = qz_option_set(v, option_at(v, i), option_at(v, i)->fallback, r, err);
    /* getopt moves operands to the end: twice would move too much */
    char **copy = qz_arena_alloc(keep, (size_t)argc + 1, sizeof *copy);
    if (st == QZ_OK && copy == NULL) st = qz_fail(err, QZ_EMEMORY, "out of memory");
    if (st == QZ_OK) {
        memcpy(copy, argv, ((size_t)argc + 1) * sizeof *copy);
        st = walk(&p, "config", argc, copy, err);
    }
    if (st == QZ_OK && r->config) st = qz_config_file_apply(v, r->config, keep, &file, r, err);
    const qz_request of_file = *r;
    for (size_t i = 0; option_at(v, i); i++) /* rules of the command line come first: the first that matches decides */
        if (option_at(v, i)->kind == QZ_OPT_LIST) list_of(r, option_at(v, i))->n = 0;
    if (st == QZ_OK) st = walk(&p, NULL, argc, argv, err);
    for (size_t i = 0; option_at(v, i) && st == QZ_OK; i++) {
        if (option_at(v, i)->kind != QZ_OPT_LIST) continue;
        const qz_text_list *l = (const qz_text_list *)(const void *)((const char *)&of_file + option_at(v, i)->offset);
        for (size_t k = 0; k < l->n && st == QZ_OK; k++) st = qz_option_set(v, option_at(v, i), l->at[k], r, err);
    }
    qz_scheme_parts_over(&file, &p.parts, p.to);
    if (st == QZ_OK && !*help) st = qz_scheme_parts_join(v, &file, keep, r, err);
    qz_str_release(&p.letters);
    if (st != QZ_OK || *help) return st;
    r->operands = argv + optind;
    r->n_operands = (size_t)(argc - optind);
    if (r->n_operands < v->min_operands || r->n_operands > v->max_operands)
        return qz_fail(err, QZ_EUSAGE, "quantz %s: expected %s, found %zu operand%s; see 'quantz %s --help'", v->name,
                       *v->operands ? v->operands : "no operands", r->n_operands, r->n_operands == 1 ? "" : "s",
                       v->name);
    return r->rederive || r->merged ? qz_recipe_request(keep, r, err) : QZ_OK;
}
