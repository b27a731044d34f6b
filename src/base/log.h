/*
 * A log line is an event: a stable dotted name and fields, one JSON object a line on stderr (the
 * journal, or the terminal of `binvault run`). Secrets and row data never, at no level.
 *
 *     log_info("segment.sealed", "source", LOG_TEXT(name), "size", LOG_NUMBER(size), LOG_END);
 *
 * Library folders log at debug only; they report with struct error.
 *
 * Threads: each line is one write(2).
 */
#pragma once

#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum log_field { LOG_FIELD_TEXT = 1, LOG_FIELD_NUMBER = 2 };

#define LOG_TEXT(text)	   LOG_FIELD_TEXT, (const char *)(text)
#define LOG_NUMBER(number) LOG_FIELD_NUMBER, (uint64_t)(number)
#define LOG_END		   (const char *)0

/* Who writes: "keeper", "pull orders". The text is borrowed for ever. Default level: info. */
void log_init(const char *program, enum log_level level);

void log_write(enum log_level level, const char *event, ...);

#define log_error(event, ...)	log_write(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warning(event, ...) log_write(LOG_LEVEL_WARNING, event, __VA_ARGS__)
#define log_info(event, ...)	log_write(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...)	log_write(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
