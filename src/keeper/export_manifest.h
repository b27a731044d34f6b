/*
 * The manifest as the keeper sees it: a body that the exporter wrote, and that must say what the
 * keeper asked for before the HSM signs it.
 *
 * Owns: nothing. Threads: any.
 */
#pragma once

#include <stddef.h>

#include "keeper/export_plan.h"
#include "protocol/export_messages.h"
#include "store/record.h"
#include "store/request_record.h"

/* Is the body canonical, about @request, and did it read exactly the first @count segments of
 * @plan? ERROR_DEFECT if not. */
int export_manifest_check(const void *body, size_t size, const struct request_record *request,
			  const struct export_plan *plan, size_t count,
			  const struct export_result *result, struct error *err) MUST_CHECK;

/* The leaf's counts and end, from a body that belongs to @request; ERROR_DEFECT if it does not. */
int export_manifest_read(const void *body, size_t size, const struct request_record *request,
			 struct exported_record *ret_record, struct error *err) MUST_CHECK;

/* Did @key sign this body? */
int export_manifest_verify(const void *body, size_t size, const struct signing_key_record *key,
			   const void *signature, size_t signature_size,
			   struct hash *ret_fingerprint, struct error *err) MUST_CHECK;
