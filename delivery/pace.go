package delivery

import (
	"context"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// pace limits the requests of a lane to the account's crm_rate, one token for each.
//
// If this process alone has the outbox, its limiter counts the tokens. If several processes share
// the outbox, that counts them, and the lane borrows those that it is about to use. While a shared
// outbox is away, the limiter counts again, at this process's share of the rate.
type pace struct {
	limiter *rate.Limiter

	mu    sync.Mutex
	rate  float64
	burst int
	nodes int // processes that share the rate; 1 if the outbox is not shared

	away    time.Time // until then the shared outbox is not asked again
	lent    int       // tokens in hand
	until   time.Time // when these are lost
	slice   int       // how many tokens to borrow at once, if as many can be used
	waiting int       // attempts in flight that wait for a token
	paid    int       // tokens used while the outbox was away
}

// awayDelay is how long a lane goes on alone before it asks a shared outbox again that is away. It is
// short: when the outbox is back, it lends all of the rate to the first process that asks.
const awayDelay = 500 * time.Millisecond

func newPace(r float64, burst int) *pace {
	return &pace{limiter: rate.NewLimiter(rate.Limit(r), burst), rate: r, burst: burst, nodes: 1, slice: 1}
}

// configure changes the rate. Tokens stay used.
func (p *pace) configure(now time.Time, r float64, burst int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate, p.burst = r, burst
	p.divide(now)
}

// divide sets the limiter to this process's share. Processes that share the rate keep half of the
// burst free for the moments in which they do not all know that the outbox is away, or back.
func (p *pace) divide(now time.Time) {
	burst := p.burst
	if p.nodes > 1 {
		burst = max(burst/2/p.nodes, 1)
	}
	p.limiter.SetLimitAt(now, rate.Limit(p.rate/float64(p.nodes)))
	p.limiter.SetBurstAt(now, burst)
}

// perSecond returns the rate of all processes together.
func (p *pace) perSecond() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rate
}

// tokens returns how many requests may begin now. lends says that the outbox counts the tokens.
func (p *pace) tokens(now time.Time, lends bool) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.borrows(now, lends) {
		return p.limiter.TokensAt(now)
	}
	return float64(p.free(now))
}

// isLent reports whether tokens are borrowed at present.
func (p *pace) isLent(now time.Time, lends bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.borrows(now, lends)
}

func (p *pace) borrows(now time.Time, lends bool) bool { return lends && !now.Before(p.away) }

// free returns how many of the borrowed tokens no attempt in flight waits for.
func (p *pace) free(now time.Time) int {
	if !now.Before(p.until) {
		return 0
	}
	return p.lent - p.waiting
}

// take takes a token, and reports whether there was one.
func (p *pace) take(now time.Time, lends bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.borrows(now, lends) {
		if p.free(now) < 1 {
			return false
		}
		p.lent--
		return true
	}
	if !p.limiter.AllowN(now, 1) {
		return false
	}
	p.pay(1, lends)
	return true
}

// use takes tokens that were there when they were counted.
func (p *pace) use(now time.Time, count int, lends bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.borrows(now, lends) {
		p.lent = max(p.lent-count, 0)
		return
	}
	p.limiter.ReserveN(now, count)
	p.pay(count, lends)
}

// pay counts tokens that were used without the shared outbox, for the next loan. The count is capped
// because old tokens no longer matter.
func (p *pace) pay(count int, lends bool) {
	if lends {
		p.paid = min(p.paid+count, p.burst)
	}
}

// waits makes the next borrowed token wait for an attempt in flight.
func (p *pace) waits() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting++
}

// resumes ends the wait of an attempt in flight. If it goes on, that takes a token, and resumes
// reports whether there was one. If not, the attempt still waits.
func (p *pace) resumes(now time.Time, goesOn bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if goesOn {
		if !now.Before(p.until) || p.lent < 1 {
			return false
		}
		p.lent--
	}
	p.waiting--
	return true
}

// request returns what to borrow for count attempts. It grows while everything is used in time, and
// shrinks when tokens are lost.
func (p *pace) request(now time.Time, count int) outbox.LoanRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case count == 0:
	case p.lent > 0 && !now.Before(p.until):
		p.slice = max(p.slice/2, 1)
	case p.lent < 1 && now.Before(p.until):
		p.slice = min(2*p.slice, maxWindow)
	}
	return outbox.LoanRequest{Rate: p.rate, Burst: p.burst, Want: min(p.slice+p.waiting, count), Paid: p.paid}
}

// borrowed records a loan that was asked for at the given time.
func (p *pace) borrowed(asked time.Time, want outbox.LoanRequest, loan outbox.Loan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !asked.Before(p.until) {
		p.lent = 0
	}
	if loan.Tokens > 0 {
		p.lent, p.until = p.lent+loan.Tokens, asked.Add(loan.Usable)
	}
	p.paid = max(p.paid-want.Paid, 0)
	p.away = time.Time{}
	if nodes := max(loan.Nodes, 1); nodes != p.nodes {
		p.nodes = nodes
		p.divide(asked)
	}
}

// waitAlone waits for a token while the shared outbox is away.
func (p *pace) waitAlone(ctx context.Context) error {
	err := p.limiter.Wait(ctx)
	if err == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.pay(1, true)
	}
	return err
}

// goAlone makes the limiter count the tokens for a while, because the shared outbox is away. It
// begins without tokens, since the outbox has lent some.
func (p *pace) goAlone(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.away) > sharePatience+awayDelay {
		p.limiter.ReserveN(now, int(math.Floor(p.limiter.TokensAt(now))))
	}
	p.away, p.lent = now.Add(awayDelay), 0
}
