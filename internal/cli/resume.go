package cli

import (
	"context"

	"github.com/spf13/cobra"
)

func (t *terminal) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "resume <account>",
		Short: "Sends what waits for an account at once",
		Long: `
Makes all waiting leads of an account due, and ends a pause, even one that
TeleCRM asked for. Use it after an outage, or after you have fixed the cause of
a hold. If the account was on hold or failing, one lead is sent at once; if
TeleCRM takes it, all others follow. You can run it again at any time.`,
		Args: takes("the name of one account", 1, 1),
		RunE: t.does(t.resume),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return t.completeAccounts(cmd, args, typed)
		},
	}
}

func (t *terminal) resume(ctx context.Context, args []string) error {
	resumed, err := t.client.Resume(ctx, args[0])
	if err != nil {
		return err
	}
	if t.json {
		return t.printJSON(resumed)
	}
	t.printf("%s\n", onOneLine(args[0])+": "+resumed.String())
	return nil
}
