#include "keeper/configuration.h"
#include "keeper/export.h"
#include "keeper/gap.h"
#include "keeper/operator.h"
#include "keeper/pause.h"
#include "keeper/share.h"
#include "keeper/status.h"

const struct operator_verb operator_verbs[] = {
	{"status", OPERATOR_READS, status_answer},
	{"server-files", OPERATOR_READS, status_answer_files},
	{"pause", OPERATOR_OPERATES, pause_answer_pause},
	{"resume", OPERATOR_OPERATES, pause_answer_resume},
	{"accept-gap", OPERATOR_OPERATES, gap_answer_accept},
	{"config-refused", OPERATOR_OPERATES, configuration_answer_refused},
	{"restore", OPERATOR_RESTORES, export_answer_restore},
	{"verify-decrypt", OPERATOR_OPERATES, export_answer_verify},
	{"request-status", OPERATOR_READS, export_answer_status},
	{"shares", OPERATOR_READS, share_answer_list},
	{"withdraw", OPERATOR_RESTORES, share_answer_withdraw},
	{NULL, OPERATOR_READS, NULL},
};
