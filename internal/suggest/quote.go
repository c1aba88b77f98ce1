package suggest

import "strings"

// Quote writes words as a line of a Caddyfile has them, in quotes where necessary.
func Quote(words ...string) string {
	quoted := make([]string, 0, len(words))
	for _, word := range words {
		quoted = append(quoted, quote(word))
	}
	return strings.Join(quoted, " ")
}

// quote writes one word.
func quote(word string) string {
	isOdd := strings.ContainsAny(word, " \t\r\n\"`#<") || strings.HasPrefix(word, "{") && !strings.HasSuffix(word, "}") || word == "}"
	switch {
	case word != "" && !isOdd:
		return word
	case strings.ContainsAny(word, `"\`) && !strings.Contains(word, "`"):
		return "`" + word + "`"
	}
	return `"` + strings.ReplaceAll(word, `"`, `\"`) + `"`
}
