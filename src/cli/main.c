/* The program: finds the verb, parses its options, runs it, prints the one error line, and chooses the exit code. */
#include "base/io.h"
#include "base/json_write.h"
#include "base/size.h"
#include "base/str.h"
#include "cli/options.h"
#include "produce/catalog.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const qz_verb *nearest(const char *name) {
    const qz_verb *v;
    qz_near near = {.word = name};
    for (size_t i = 0; (v = qz_verb_at(i)) != NULL; i++) (void)qz_near_see(&near, v->name);
    return qz_verb_at(near.at);
}

/* What was printed must have arrived. */
static qz_status printed(qz_status st, qz_error *err) {
    if (st == QZ_OK && (fflush(stdout) != 0 || ferror(stdout)))
        st = qz_fail(err, QZ_EIO, "cannot write to standard output");
    return st;
}

/* The error line, its code behind it as `explain CODE` takes it; with --json a document on stdout too, unless the
 * verb printed its own (a verdict of no has its findings). */
static int report(const qz_error *err, qz_status st, bool json) {
    if (err->code != QZ_OK && json && st != QZ_ECHECK) {
        qz_str s = {0};
        qz_json_writer w;
        qz_jw_begin(&w, &s);
        qz_jw_open(&w, "error", '{');
        qz_jw_text(&w, "code", qz_status_code(st));
        qz_jw_int(&w, "exit", qz_exit_code(st));
        qz_jw_text(&w, "text", err->text);
        qz_jw_close(&w, '}');
        qz_jw_end(&w);
        if (!s.failed) (void)fputs(s.ptr, stdout);
        qz_str_release(&s);
    }
    (void)fflush(stdout);
    if (err->code != QZ_OK) (void)fprintf(stderr, "quantz: error: %s [%s]\n", err->text, qz_status_code(st));
    return qz_exit_code(st);
}

static qz_status run_request(const qz_verb *v, qz_request r, qz_error *err) {
    qz_run run;
    const uint64_t asked = r.threads;
    r.threads = qz_min_size((size_t)asked, qz_cpus()); /* more threads than CPUs wait for each other */
    QZ_TRY(qz_run_init(&run, (size_t)r.threads, err));
    run.quiet = r.quiet;
    run.progress_json = r.progress_json;
    if (asked > r.threads)
        qz_info(&run, "note: %llu threads asked for, %zu CPUs here: %zu threads", (unsigned long long)asked, qz_cpus(),
                qz_cpus());
    qz_status bad = qz_catalog_check_accept(r.accept, err);
    if (bad != QZ_OK) {
        qz_run_release(&run);
        return bad;
    }
    run.accept = r.accept && strcmp(r.accept, "*") == 0 ? NULL : r.accept; /* codes are named one by one */
    qz_status st = qz_catalog_set_cpu(&run, r.cpu, err);
    if (st == QZ_OK) st = v->run(&run, &r, err);
    const char *const source[] = {r.against};
    if (st == QZ_EUSAGE) qz_catalog_say_builtin((const char *const *)r.operands, r.n_operands, err);
    if (st == QZ_EUSAGE && r.against) qz_catalog_say_builtin(source, 1, err);
    qz_run_release(&run);
    return st;
}

static qz_status run_verb(const qz_verb *v, int argc, char **argv, qz_error *err) {
    qz_arena keep = {0}; /* texts of the request that are not argv's */
    qz_request r;
    bool help = false;
    qz_status st = qz_options_parse(v, argc, argv, &keep, &r, &help, err);
    if (st == QZ_OK && help) qz_help_verb(stdout, v);
    else if (st == QZ_OK) st = run_request(v, r, err);
    qz_arena_release(&keep);
    return printed(st, err);
}

/* What is asked of the program itself. */
static bool is_page(const char *name, int argc, char **argv) {
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        const qz_verb *v = argc > 2 ? qz_verb_find(argv[2]) : NULL;
        if (v) qz_help_verb(stdout, v);
        else qz_help_program(stdout);
    } else if (strcmp(name, "--version") == 0) (void)printf("quantz %s\n", qz_catalog_version());
    else if (strcmp(name, "--man") == 0) qz_help_man(stdout);
    else if (strcmp(name, "--completion") == 0) qz_help_completion(stdout);
    else return false;
    return true;
}

int main(int argc, char **argv) {
    qz_error err = {0};
    (void)signal(SIGXFSZ, SIG_IGN); /* a file over the limit is a failed write, with its line, and no sudden end */
    qz_hold_std_files();
    if (argc < 2) return qz_help_program(stderr), 2;
    const char *name = argv[1];
    bool json = false; /* looked for by itself: an error of the options must find it too */
    for (int i = 2; i < argc; i++) json |= strcmp(argv[i], "--json") == 0;
    if (is_page(name, argc, argv)) return report(&err, printed(QZ_OK, &err), false);
    const qz_verb *v = qz_verb_find(name);
    if (v == NULL)
        return report(&err,
                      qz_fail(&err, QZ_EUSAGE, "unknown verb '%s': nearest known is '%s'; see 'quantz --help'", name,
                              nearest(name)->name),
                      json);
    return report(&err, run_verb(v, argc - 1, argv + 1, &err), json);
}
