// Package disk recognizes file systems that are not fit for an outbox.
package disk
