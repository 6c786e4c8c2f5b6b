tar cf ../ctx.t --owner=77 . && mv ../ctx.t .
