/* The parsers of the option table: one for each kind of value. Targets are named behind each. */
#pragma once

#include "config/options.h"

int value_parse_name(const struct option *option, const char *text, void *target,
		     struct error *err); /* char[SOURCE_NAME_MAX + 1] */
int value_parse_vault(const struct option *option, const char *text, void *target,
		      struct error *err); /* char *, a name */
int value_parse_text(const struct option *option, const char *text, void *target,
		     struct error *err); /* char * */
int value_parse_path(const struct option *option, const char *text, void *target,
		     struct error *err); /* char * */
int value_parse_size(const struct option *option, const char *text, void *target,
		     struct error *err); /* uint64_t */
int value_parse_duration(const struct option *option, const char *text, void *target,
			 struct error *err); /* uint64_t, microseconds */
int value_parse_worm(const struct option *option, const char *text, void *target,
		     struct error *err); /* enum worm_mode */
int value_parse_yes_no(const struct option *option, const char *text, void *target,
		       struct error *err); /* bool */
int value_parse_tls_minimum(const struct option *option, const char *text, void *target,
			    struct error *err); /* enum tls_minimum */
int value_parse_number(const struct option *option, const char *text, void *target,
		       struct error *err); /* uint32_t */
int value_parse_start(const struct option *option, const char *text, void *target,
		      struct error *err); /* char * */
int value_parse_pem(const struct option *option, const char *text, void *target,
		    struct error *err); /* char *, a path or "systemd:NAME" */
int value_parse_credential(const struct option *option, const char *text, void *target,
			   struct error *err); /* char * */
int value_parse_pin_source(const struct option *option, const char *text, void *target,
			   struct error *err); /* char * */
int value_parse_volumes(const struct option *option, const char *text, void *target,
			struct error *err); /* struct config */
int value_parse_servers(const struct option *option, const char *text, void *target,
			struct error *err); /* struct config_source */
int value_parse_siem(const struct option *option, const char *text, void *target,
		     struct error *err); /* struct config */
int value_parse_addresses(const struct option *option, const char *text, void *target,
			  struct error *err); /* struct config_client */
int value_parse_level(const struct option *option, const char *text, void *target,
		      struct error *err); /* enum config_level */
int value_parse_permission(const struct option *option, const char *text, void *target,
			   struct error *err); /* enum config_level, backwards */
int value_parse_excess(const struct option *option, const char *text, void *target,
		       struct error *err); /* enum config_level */
int value_parse_uuids(const struct option *option, const char *text, void *target,
		      struct error *err); /* struct config_rules */
int value_parse_server_ids(const struct option *option, const char *text, void *target,
			   struct error *err); /* struct config_rules */
int value_parse_pins(const struct option *option, const char *text, void *target,
		     struct error *err); /* struct config_rules */
int value_parse_formats(const struct option *option, const char *text, void *target,
			struct error *err); /* struct config_source */
