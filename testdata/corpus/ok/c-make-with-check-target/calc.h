int calc;
