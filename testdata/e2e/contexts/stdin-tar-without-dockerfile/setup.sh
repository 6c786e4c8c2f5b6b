tar cf ../ctx.t . && mv ../ctx.t .
