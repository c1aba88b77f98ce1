package notes

import (
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/mapping"
)

const (
	// fewestRefused is how often a field is refused before it is a matter of the form, and not of its
	// visitors.
	fewestRefused = 10
	// mostJudged bounds how far back posts count, so that a page that was changed is noticed too.
	mostJudged = 4 * fewestRefused
)

// refusal is a field that was refused for a reason.
type refusal struct{ input, code string }

// tally counts the refusals among the latest posts. There are only as many as the config has inputs
// and there are codes.
type tally struct {
	judged  int
	refused map[refusal]int
}

// add counts a post, and returns the refusals of nine posts of ten.
func (t *tally) add(refused map[refusal]bool) (usual map[refusal]int) {
	if t.refused == nil {
		t.refused = make(map[refusal]int)
	}
	if t.judged >= mostJudged {
		t.judged /= 2
		for r, n := range t.refused {
			t.refused[r] = n / 2
		}
	}
	t.judged++
	for r := range refused {
		t.refused[r]++
		if n := t.refused[r]; n >= fewestRefused && n*10 >= t.judged*9 {
			if usual == nil {
				usual = make(map[refusal]int)
			}
			usual[r] = n
		}
	}
	return usual
}

// Judged counts a post with its problems, and warns about a field that nearly all posts are refused
// for, which is rarely the visitors' mistake.
func (n *Notes) Judged(problems []*mapping.Problem) {
	var refused map[refusal]bool
	if len(problems) > 0 {
		refused = make(map[refusal]bool, len(problems))
	}
	for _, p := range problems {
		refused[refusal{p.Input, string(p.Code)}] = true
	}
	n.mu.Lock()
	usual, judged := n.refused.add(refused), n.refused.judged
	n.mu.Unlock()
	for r, times := range usual {
		n.warn("refused "+r.input+" "+r.code, "nearly every post of the form is refused for the same reason; compare the form on its page with the config: the name of the input, and the options and the type of its field",
			zap.String("input", r.input), zap.String("code", r.code), zap.Int("refused", times), zap.Int("posts", judged))
	}
}
