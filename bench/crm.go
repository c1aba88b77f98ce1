//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// crm stands in for TeleCRM. It answers every create-lead request after the latency.
type crm struct {
	url     string
	server  *http.Server
	created atomic.Int64
}

// startCRM starts a CRM that creates every lead, or one that refuses the token, so that the account
// is on hold.
func startCRM(latency time.Duration, refuses bool) (*crm, error) {
	listener, err := listen()
	if err != nil {
		return nil, err
	}
	c := &crm{url: "http://" + listener.Addr().String()}
	c.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if refuses {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if latency > 0 {
			select {
			case <-time.After(latency):
			case <-r.Context().Done():
				return
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, `{"lead_id":"%024x","actions":null,"remarks":null}`, c.created.Add(1))
	})}
	go func() { _ = c.server.Serve(listener) }()
	return c, nil
}

func (c *crm) close() { _ = c.server.Close() }

func listen() (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(context.Background(), "tcp", "127.0.0.1:0")
}
