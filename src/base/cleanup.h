/*
 * Scope-bound release: `CLEANUP(x_freep) struct x *x = NULL;`, and TAKE() to give it away.
 *
 * A destructor accepts NULL and half-built objects, and never makes anything durable: commit and
 * abort are functions of their own.
 */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

/* The value of @variable, which afterwards holds its empty value. */
#define TAKE(variable)                                                                             \
	__extension__({                                                                            \
		__typeof__(variable) taken_ = (variable);                                          \
		(variable) = NULL;                                                                 \
		taken_;                                                                            \
	})
#define TAKE_FD(variable)                                                                          \
	__extension__({                                                                            \
		int taken_fd_ = (variable);                                                        \
		(variable) = -1;                                                                   \
		taken_fd_;                                                                         \
	})

/* DEFINE_CLEANUP(x_free, struct x *) makes x_freep, which frees *pointer. */
#define DEFINE_CLEANUP(function, type)                                                             \
	static inline void function##p(type *pointer)                                              \
	{                                                                                          \
		function(*pointer);                                                                \
	}                                                                                          \
	struct swallow_semicolon

static inline void freep(void *pointer)
{
	free(*(void **)pointer);
}

static inline void close_fdp(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
