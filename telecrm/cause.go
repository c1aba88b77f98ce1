package telecrm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// Cause classifies why TeleCRM did not take a lead although nothing is wrong with the lead. The
// causes are a fixed set, so they may be labels of a metric.
type Cause string

// The causes.
const (
	// CauseDNS means that the host's name was not resolved.
	CauseDNS Cause = "dns"
	// CauseConnect means that no connection was made: it was refused, or there is no route.
	CauseConnect Cause = "connect"
	// CauseTLS means that the certificate or the handshake failed.
	CauseTLS Cause = "tls"
	// CauseTimeout means that there was no response in time.
	CauseTimeout Cause = "timeout"
	// CauseConnection means that the connection broke before the response was complete.
	CauseConnection Cause = "connection"
	// CauseUnreadable means that a response is not TeleCRM's, or not valid.
	CauseUnreadable Cause = "unreadable"
	// CauseBusy means that TeleCRM asked to slow down: 429.
	CauseBusy Cause = "busy"
	// CauseServer means that TeleCRM answered with a 5xx.
	CauseServer Cause = "server"
	// CauseAccount means that TeleCRM turned the account away.
	CauseAccount Cause = "account"
	// CauseOther stands for everything else.
	CauseOther Cause = "other"
)

// Causes returns all causes.
func Causes() []Cause {
	return []Cause{
		CauseDNS, CauseConnect, CauseTLS, CauseTimeout, CauseConnection, CauseUnreadable,
		CauseBusy, CauseServer, CauseAccount, CauseOther,
	}
}

// Cause classifies an answer whose verdict is [Retry] or [Hold]. It is empty for any other verdict.
func (a Answer) Cause() Cause {
	switch {
	case a.Verdict == Hold:
		return CauseAccount
	case a.Verdict != Retry:
		return ""
	case a.Status == http.StatusTooManyRequests:
		return CauseBusy
	case a.Status >= http.StatusInternalServerError:
		return CauseServer
	case a.Err != nil:
		return causeOf(a.Err)
	case succeeded(a.Status):
		return CauseUnreadable
	}
	return CauseOther
}

func causeOf(err error) Cause {
	switch {
	case is[*net.DNSError](err):
		return CauseDNS
	case errors.Is(err, context.DeadlineExceeded) || timedOut(err):
		return CauseTimeout
	case ofTLS(err):
		return CauseTLS
	case errors.Is(err, errNotTeleCRM), errors.Is(err, errNotHTTP), errors.Is(err, errTooLong):
		return CauseUnreadable
	case ofDial(err):
		return CauseConnect
	}
	return CauseConnection
}

func is[E error](err error) bool {
	_, found := errors.AsType[E](err)
	return found
}

func timedOut(err error) bool {
	network, found := errors.AsType[net.Error](err)
	return found && network.Timeout()
}

// ofTLS reports whether err is about the certificate or the handshake. The type of an alert is not
// exported, but its operation says that it was local or remote.
func ofTLS(err error) bool {
	if is[*tls.CertificateVerificationError](err) || is[tls.RecordHeaderError](err) || is[x509.HostnameError](err) ||
		is[x509.UnknownAuthorityError](err) || is[x509.CertificateInvalidError](err) || errors.Is(err, http.ErrSchemeMismatch) {
		return true
	}
	operation, found := errors.AsType[*net.OpError](err)
	return found && (operation.Op == "remote error" || operation.Op == "local error")
}

func ofDial(err error) bool {
	operation, found := errors.AsType[*net.OpError](err)
	return found && operation.Op == "dial" || errors.Is(err, syscall.ECONNREFUSED)
}

// Problem says in one line what was wrong with the answer: the status, the code and the error,
// without the verdict. It never contains values of the lead or the API's text.
func (a Answer) Problem() string {
	var parts []string
	if a.Status != 0 {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("HTTP %d %s", a.Status, a.Code)))
	}
	if a.Err != nil {
		parts = append(parts, clip(a.Err.Error()))
	}
	if len(parts) == 0 {
		return a.Verdict.String()
	}
	return strings.Join(parts, ": ")
}
