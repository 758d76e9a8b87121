/* `explain CODE`: what a code of an error, finding or rule means. Every code that the program prints is a
 * row of a table. */
#include "artifacts/artifact.h"
#include "deploy/check.h"
#include "deploy/pick.h"
#include "explain/explain.h"
#include "report/findings_print.h"
#include "text/lint.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static void from(qz_explained *x, const char *source) {
    qz_str kept = {0};
    qz_source_kept(source, &kept);
    if (kept.len) qz_explain_say(x, "  source   %s", kept.ptr);
    x->text.failed |= kept.failed;
    qz_str_release(&kept);
}
static void line(qz_explained *x, const char *head, const char *text) {
    if (text && *text && strcmp(text, "-") != 0) qz_explain_say(x, "  %-8s %s", head, text);
}

static bool error_code(qz_explained *x, const char *word) {
    const qz_error_kind *k;
    for (size_t i = 0; (k = qz_error_kind_at(i)) != NULL; i++)
        if (strcasecmp(k->code, word) == 0) {
            qz_explain_say(x, "%s: an error; the program ends with %d", k->code, k->exit);
            line(x, "what", k->what), line(x, "do", k->cure);
            return true;
        }
    return false;
}
static bool finding_code(qz_explained *x, const char *word) {
    const qz_pitfall *p;
    for (size_t i = 0; (p = qz_pitfall_at(i)) != NULL; i++)
        if (strcasecmp(p->code, word) == 0) {
            qz_explain_say(x, "%s: a finding of 'quantz %s' (%s)", p->code,
                           strncmp(p->code, "PICK", 4) == 0 ? "pick" : "check", qz_finding_level_name(p->level));
            line(x, "symptom", p->symptom), line(x, "cause", p->cause), line(x, "do", p->fix), from(x, p->source);
            return true;
        }
    return false;
}
static bool rule_code(qz_explained *x, const char *word) {
    qz_rule_info r;
    bool found = false;
    for (size_t i = 0; qz_rule_at(i, &r); i++) {
        if (strcasecmp(r.code, word) != 0) continue;
        if (!found)
            qz_explain_say(x, "%s: a rule of the pre-flight: does an engine load this artifact, on this hardware?",
                           r.code);
        found = true;
        qz_explain_say(x, "  %s: %s", qz_finding_level_name(r.level),
                       *r.why ? r.why
                              : "the engine's table of formats and capabilities decides ('quantz explain engines')");
        line(x, "do", r.fix ? r.fix : "the finding names the nearest setting that works"), from(x, r.source);
    }
    return found;
}
/* Levels as quantize's --to takes them, where it writes them; other answers as they are. */
static void answer(qz_explained *x, const qz_pick_row *r) {
    qz_str s = {0};
    const bool levels = r->topic == QZ_PICK_FORMAT || r->topic == QZ_PICK_LADDER;
    const char *list = r->result;
    for (qz_piece p; levels && qz_list_next(&list, &p);) {
        char name[64];
        qz_level level;
        (void)snprintf(name, sizeof name, "%.*s", (int)(p.n < 63 ? p.n : 63), p.at);
        const bool known = qz_level_parse(name, &level, &(qz_error){0}) == QZ_OK;
        const char *scheme = known ? qz_level_scheme(level) : NULL;
        qz_str_printf(&s, "%s%s", s.len ? "," : "", scheme ? scheme : name);
    }
    line(x, "answer", s.len ? s.ptr : r->result);
    x->text.failed |= s.failed;
    qz_str_release(&s);
}
static bool pick_code(qz_explained *x, const char *word) {
    static const char *const topics[] = {
        [QZ_PICK_REFUSE] = "refusals", [QZ_PICK_FORMAT] = "formats", [QZ_PICK_KV] = "KV cache types",
        [QZ_PICK_CALIBRATION] = "calibration",
        [QZ_PICK_LADDER] = "the next formats to try", [QZ_PICK_VALIDATION] = "tests before release",
        [QZ_PICK_NOTE] = "notes"};
    const qz_pick_row *r;
    bool found = false;
    for (size_t i = 0; (r = qz_pick_row_at(i)) != NULL; i++) {
        const bool id = strcasecmp(r->id, word) == 0, code = r->code && strcasecmp(r->code, word) == 0;
        if (!id && !code) continue;
        if (!found)
            qz_explain_say(x, "%s: %s of 'quantz pick' (%s); the first row whose conditions hold decides",
                           id ? r->id : r->code, id ? "a rule" : "a note", topics[r->topic]);
        found = true;
        if (id) answer(x, r);
        else line(x, "says", r->result);
        line(x, "why", r->why), line(x, "claimed", r->claim),
            line(x, "today", r->today), from(x, r->source);
    }
    return found;
}
static bool lint_code(qz_explained *x, const char *word) {
    const char *code;
    for (size_t i = 0; (code = qz_lint_code_at(i)) != NULL; i++)
        if (strcasecmp(code, word) == 0) {
            qz_explain_say(x, "%s: a finding about calibration data: %s", code, qz_lint_code_about(i));
            line(x, "do",
                 "'quantz calibrate MODEL --data FILE --lint' tells it with its numbers; --accept takes it knowingly, "
                 "and every artifact made from it says so");
            return true;
        }
    return false;
}
static bool float_code(qz_explained *x, const char *word) {
    if (strcasecmp(word, QZ_CODE_FLOAT) != 0) return false;
    qz_explain_say(x,
                   "%s: a refusal of quantize, release and convert: more than 1 %% of the weights would stay float "
                   "without a rule",
                   QZ_CODE_FLOAT);
    line(x, "cause",
         "shapes that the format cannot hold, or matrices whose part in the model is not known; embeddings, output "
         "matrices, norms, routers, towers and prediction heads stay by rules");
    line(x, "do",
         "another format or group size; or take the artifact knowingly (--accept " QZ_CODE_FLOAT "): a warning names "
         "the largest, and its manifest counts them (\"without_rule\" of \"kept\")");
    return true;
}
static bool correction(qz_explained *x, const char *word) {
#define QZ_CORRECTION(id, claim, truth) \
    if (strcasecmp(id, word) == 0) \
        return qz_explain_say(x, "%s: handbooks say: %s", id, claim), line(x, "true", truth), true;
#include "explain/corrections.def"
#undef QZ_CORRECTION
    return false;
}

bool qz_explain_code(qz_explained *x, const char *word) {
    return error_code(x, word) || finding_code(x, word) || rule_code(x, word) || pick_code(x, word) ||
           lint_code(x, word) || float_code(x, word) || correction(x, word);
}

void qz_explain_code_names(qz_near *near) {
    const qz_error_kind *k;
    const qz_pitfall *p;
    const qz_pick_row *row;
    qz_rule_info r;
    const char *code;
    for (size_t i = 0; (k = qz_error_kind_at(i)) != NULL; i++) (void)qz_near_see(near, k->code);
    for (size_t i = 0; (p = qz_pitfall_at(i)) != NULL; i++) (void)qz_near_see(near, p->code);
    for (size_t i = 0; qz_rule_at(i, &r); i++) (void)qz_near_see(near, r.code);
    for (size_t i = 0; (row = qz_pick_row_at(i)) != NULL; i++) {
        (void)qz_near_see(near, row->id);
        if (row->code) (void)qz_near_see(near, row->code);
    }
    for (size_t i = 0; (code = qz_lint_code_at(i)) != NULL; i++) (void)qz_near_see(near, code);
    (void)qz_near_see(near, QZ_CODE_FLOAT);
}

qz_status qz_explain_errors(qz_explained *x) {
    const qz_error_kind *k;
    qz_explain_say(x, "every error ends the program with one line and one of these codes; with --json the line is a "
                      "document too");
    QZ_TRY(qz_explain_table(x, NULL, "Code<|Exit>|What happened<|What to do<"));
    for (size_t i = 0; (k = qz_error_kind_at(i)) != NULL; i++)
        QZ_TRY(qz_explain_row(x, "%s|%d|%s|%s", k->code, k->exit, k->what, k->cure));
    return QZ_OK;
}
qz_status qz_explain_findings(qz_explained *x) {
    const qz_pitfall *p;
    qz_rule_info r;
    const char *code, *last = "";
    QZ_TRY(qz_explain_table(x, "findings; 'quantz explain CODE' tells what to do", "Code<|Level<|What goes wrong<"));
    for (size_t i = 0; (p = qz_pitfall_at(i)) != NULL; i++)
        QZ_TRY(qz_explain_row(x, "%s|%s|%s", p->code, qz_finding_level_name(p->level), p->symptom));
    for (size_t i = 0; qz_rule_at(i, &r); last = r.code, i++)
        if (strcmp(last, r.code) != 0)
            QZ_TRY(qz_explain_row(x, "%s|%s|%s", r.code, qz_finding_level_name(r.level),
                                  *r.why ? r.why : "an engine or a card does not take the format"));
    for (size_t i = 0; (code = qz_lint_code_at(i)) != NULL; i++)
        QZ_TRY(qz_explain_row(x, "%s|data|%s", code, qz_lint_code_about(i)));
    return QZ_OK;
}
