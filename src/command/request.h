/*
 * A request to the keeper that takes its time: sent, followed until it has ended.
 *
 * Owns: nothing; the report belongs to the caller. Threads: one.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "config/config.h"

/*
 * Ask for @request, then poll until it has ended; on a terminal one line of standard error says how
 * far it is. *ret_report is what `request-status` said last. What failed in the keeper is an error
 * here, with its code and sentence.
 */
int request_follow(const struct config *config, const json_t *request, json_t **ret_report,
		   struct error *err) MUST_CHECK;

/* Fields of a report; "" and 0 where there is none. */
const char *request_text(const json_t *report, const char *key);
uint64_t request_number(const json_t *report, const char *key);

/* Of a report: where the server itself has events with a wrong CRC. Says so, a line for each
 * segment that was read; returns their number. */
size_t request_print_crc_wrong(const json_t *report);

/* @count in @usec as "512 MiB/s". */
#define REQUEST_RATE_SIZE 32
void request_rate(uint64_t count, uint64_t usec, char text[static REQUEST_RATE_SIZE]);
