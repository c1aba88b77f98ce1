package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

const (
	barWidth = 30
	// redraw is the least time between two drawings of a bar.
	redraw = 100 * time.Millisecond
)

// progress draws a progress bar on a terminal. Without a terminal it draws nothing.
type progress struct {
	t     *terminal
	what  string
	total int
	drawn time.Time
}

func (t *terminal) progress(what string, total int) *progress {
	return &progress{t: t, what: what, total: total}
}

// at draws the bar with done of total.
func (p *progress) at(done int) {
	if !p.t.redraws || time.Since(p.drawn) < redraw {
		return
	}
	p.drawn = time.Now()
	share := 1.0
	if p.total > 0 {
		share = min(1, float64(done)/float64(p.total))
	}
	full := int(share * barWidth)
	_, _ = fmt.Fprintf(p.t.err, "\r\x1b[K%s [%s%s] %3.0f %%  %s of %s", p.what,
		strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), share*100,
		humanize.Comma(int64(done)), humanize.Comma(int64(max(p.total, done))))
}

// end removes the bar.
func (p *progress) end() {
	if p.t.redraws && !p.drawn.IsZero() {
		_, _ = fmt.Fprint(p.t.err, "\r\x1b[K")
	}
}
